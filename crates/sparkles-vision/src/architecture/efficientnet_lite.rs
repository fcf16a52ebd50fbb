//! EfficientNet-Lite1 to Lite4: Tan, Le, "EfficientNet: Rethinking Model Scaling for
//! Convolutional Neural Networks", 2019, <https://arxiv.org/abs/1905.11946>, table 1,
//! in the form of tensorflow/tpu `efficientnet/lite`: no squeeze-and-excitation, ReLU6
//! for Swish, a stem and a head that do not scale.

use super::layers::{Layers, Network};
use super::weights::Weights;
use crate::error::WeightsError;
use crate::onnx::{Value, Window};

const EPSILON: f64 = 1e-3;
/// Output channels of the stem and of the head, at every scale.
const STEM: usize = 32;
const HEAD: usize = 1280;

/// Kernel, stride of the first block, and expansion of each of the seven stages.
const STAGES: [(usize, usize, usize); 7] = [
    (3, 1, 1),
    (3, 2, 6),
    (5, 2, 6),
    (3, 2, 6),
    (5, 1, 6),
    (5, 2, 6),
    (3, 1, 6),
];

/// How a variant is scaled: side of its input, blocks and output channels of each
/// stage. Channels are B0's times the width, to the nearest multiple of 8; blocks are
/// B0's times the depth, rounded up, but for the first and the last stage.
pub(super) struct Scale {
    pub(super) side: usize,
    blocks: [usize; 7],
    channels: [usize; 7],
}

/// Width 1.0, depth 1.1.
pub(super) const LITE1: Scale = Scale {
    side: 240,
    blocks: [1, 3, 3, 4, 4, 5, 1],
    channels: [16, 24, 40, 80, 112, 192, 320],
};
/// Width 1.1, depth 1.2.
pub(super) const LITE2: Scale = Scale {
    side: 260,
    blocks: [1, 3, 3, 4, 4, 5, 1],
    channels: [16, 24, 48, 88, 120, 208, 352],
};
/// Width 1.2, depth 1.4.
pub(super) const LITE3: Scale = Scale {
    side: 300,
    blocks: [1, 3, 3, 5, 5, 6, 1],
    channels: [24, 32, 48, 96, 136, 232, 384],
};
/// Width 1.4, depth 1.8.
pub(super) const LITE4: Scale = Scale {
    side: 380,
    blocks: [1, 4, 4, 6, 6, 8, 1],
    channels: [24, 32, 56, 112, 160, 272, 448],
};

/// Maps with their side: the padding depends on it.
struct Maps {
    value: Value,
    side: usize,
}

pub(super) fn build(
    name: &str,
    scale: &Scale,
    weights: &Weights<'_>,
) -> Result<Network, WeightsError> {
    let (mut net, image) = Layers::new(name, scale.side, weights, EPSILON);
    let (window, side) = tensorflow_same(3, 2, scale.side);
    let x = net.convolution_norm(&image, ("conv_stem", "bn1"), STEM, window)?;
    let value = net.relu6(&x);
    let mut x = Maps { value, side };
    let stages = STAGES.iter().zip(scale.blocks).zip(scale.channels);
    for (stage, ((shape, blocks), channels)) in stages.enumerate() {
        for block in 0..blocks {
            let (kernel, stride, expansion) = *shape;
            let stride = if block == 0 { stride } else { 1 };
            let name = format!("blocks.{stage}.{block}");
            x = inverted_residual(&mut net, x, &name, (kernel, stride, expansion), channels)?;
        }
    }
    let x = net.convolution_norm(&x.value, ("conv_head", "bn2"), HEAD, Window::square(1, 1))?;
    let x = net.relu6(&x);
    let features = net.graph.global_average(&x, "features");
    let logits = net.linear(&features, "classifier", "logits", 1000)?;
    Ok(net.finish(features, logits))
}

/// MBConv of the paper: channels are expanded, each is convolved for itself, and a
/// layer without an activation narrows them again.
fn inverted_residual(
    net: &mut Layers<'_, '_>,
    input: &Maps,
    name: &str,
    (kernel, stride, expansion): (usize, usize, usize),
    channels: usize,
) -> Result<Maps, WeightsError> {
    let layer = |layer: &str| format!("{name}.{layer}");
    let one = Window::square(1, 1);
    let mut x = input.value.clone();
    let norms: [&str; 2] = if expansion == 1 {
        ["bn1", "bn2"]
    } else {
        let names = (layer("conv_pw"), layer("bn1"));
        x = net.convolution_norm(&x, (&names.0, &names.1), expansion * x.channels, one)?;
        x = net.relu6(&x);
        ["bn2", "bn3"]
    };
    let (window, side) = tensorflow_same(kernel, stride, input.side);
    let names = (layer("conv_dw"), layer(norms[0]));
    x = net.depthwise_norm(&x, (&names.0, &names.1), window)?;
    x = net.relu6(&x);
    let last = if expansion == 1 {
        "conv_pw"
    } else {
        "conv_pwl"
    };
    let names = (layer(last), layer(norms[1]));
    let mut value = net.convolution_norm(&x, (&names.0, &names.1), channels, one)?;
    if stride == 1 && channels == input.value.channels {
        value = net.graph.add(&value, &input.value, name);
    }
    Ok(Maps { value, side })
}

/// TensorFlow's `SAME`: as many outputs as steps of the stride; where the padding is
/// odd, the last row and column get one more than the first. Gives the window and the
/// side of its output.
fn tensorflow_same(kernel: usize, stride: usize, side: usize) -> (Window, usize) {
    let outputs = side.div_ceil(stride);
    let padding = ((outputs - 1) * stride + kernel).saturating_sub(side);
    let window = Window::square(kernel, stride).padded(padding / 2, padding - padding / 2);
    (window, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_tensorflows() {
        for (kernel, stride, side, padding, outputs) in [
            (3, 2, 240, [0, 0, 1, 1], 120),
            (3, 2, 65, [1, 1, 1, 1], 33),
            (5, 2, 60, [1, 1, 2, 2], 30),
            (5, 2, 75, [2, 2, 2, 2], 38),
            (3, 1, 30, [1, 1, 1, 1], 30),
        ] {
            let (window, found) = tensorflow_same(kernel, stride, side);
            assert_eq!(
                (window.padding, found),
                (padding, outputs),
                "{kernel} {side}"
            );
        }
    }
}
