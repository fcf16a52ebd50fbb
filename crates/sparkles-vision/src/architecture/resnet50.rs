//! ResNet-50: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition",
//! 2015, <https://arxiv.org/abs/1512.03385>, table 1; the stride of a block lies on
//! its 3 × 3 convolution, as in torchvision.

use super::layers::{Layers, Network};
use super::weights::Weights;
use crate::error::WeightsError;
use crate::onnx::{Value, Window};

const EPSILON: f64 = 1e-5;
/// Blocks and inner width of each stage; a block's output is four times as wide.
const STAGES: [(usize, usize); 4] = [(3, 64), (4, 128), (6, 256), (3, 512)];

pub(super) fn build(weights: &Weights<'_>, side: usize) -> Result<Network, WeightsError> {
    let (mut net, image) = Layers::new("resnet50", side, weights, EPSILON);
    let stem = Window::same(7, 7).stride(2);
    let x = net.convolution_norm(&image, ("conv1", "bn1"), 64, stem)?;
    let x = net.relu(&x);
    let mut x = net
        .graph
        .max_pool(&x, "maxpool", Window::same(3, 3).stride(2));
    for (stage, (blocks, width)) in STAGES.into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let name = format!("layer{}.{block}", stage + 1);
            x = bottleneck(&mut net, &x, &name, width, stride)?;
        }
    }
    let features = net.graph.global_average(&x, "features");
    let logits = net.linear(&features, "fc", "logits", 1000)?;
    Ok(net.finish(features, logits))
}

fn bottleneck(
    net: &mut Layers<'_, '_>,
    input: &Value,
    name: &str,
    width: usize,
    stride: usize,
) -> Result<Value, WeightsError> {
    let layer = |kind: &str, number: usize| format!("{name}.{kind}{number}");
    let mut x = input.clone();
    for (number, outputs, window) in [
        (1, width, Window::square(1, 1)),
        (2, width, Window::same(3, 3).stride(stride)),
        (3, 4 * width, Window::square(1, 1)),
    ] {
        let names = (layer("conv", number), layer("bn", number));
        x = net.convolution_norm(&x, (&names.0, &names.1), outputs, window)?;
        if number < 3 {
            x = net.relu(&x);
        }
    }
    let shortcut = if input.channels == 4 * width {
        input.clone()
    } else {
        let names = (
            format!("{name}.downsample.0"),
            format!("{name}.downsample.1"),
        );
        let window = Window::square(1, stride);
        net.convolution_norm(input, (&names.0, &names.1), 4 * width, window)?
    };
    let sum = net.graph.add(&x, &shortcut, name);
    Ok(net.relu(&sum))
}
