//! Xception: Chollet, "Xception: Deep Learning with Depthwise Separable
//! Convolutions", 2016, <https://arxiv.org/abs/1610.02357>, figure 5.

use super::layers::{Layers, Network};
use super::weights::Weights;
use crate::error::WeightsError;
use crate::onnx::{Value, Window};

const EPSILON: f64 = 1e-5;

/// The channels of a block's separable convolutions, one after the other, and the
/// stride of the pooling at its end.
struct Block {
    name: String,
    channels: Vec<usize>,
    stride: usize,
    /// The first block follows an activation.
    starts_with_relu: bool,
}

pub(super) fn build(weights: &Weights<'_>, side: usize) -> Result<Network, WeightsError> {
    let (mut net, image) = Layers::new("xception", side, weights, EPSILON);
    // Entry flow.
    let x = net.convolution_norm(&image, ("conv1", "bn1"), 32, Window::square(3, 2))?;
    let x = net.relu(&x);
    let x = net.convolution_norm(&x, ("conv2", "bn2"), 64, Window::square(3, 1))?;
    let mut x = net.relu(&x);
    for block in blocks() {
        x = residual(&mut net, &x, &block)?;
    }
    // Exit flow.
    let x = separable(&mut net, &x, "conv3", "bn3", 1536)?;
    let x = net.relu(&x);
    let x = separable(&mut net, &x, "conv4", "bn4", 2048)?;
    let x = net.relu(&x);
    let features = net.graph.global_average(&x, "features");
    let logits = net.linear(&features, "fc", "logits", 1000)?;
    Ok(net.finish(features, logits))
}

/// Entry flow: 1 to 3; middle flow: 4 to 11; exit flow: 12.
fn blocks() -> Vec<Block> {
    (1..=12)
        .map(|number| {
            let (channels, stride) = match number {
                1 => (vec![128, 128], 2),
                2 => (vec![256, 256], 2),
                3 => (vec![728, 728], 2),
                12 => (vec![728, 1024], 2),
                _ => (vec![728, 728, 728], 1),
            };
            Block {
                name: format!("block{number}"),
                channels,
                stride,
                starts_with_relu: number > 1,
            }
        })
        .collect()
}

fn residual(net: &mut Layers<'_, '_>, input: &Value, block: &Block) -> Result<Value, WeightsError> {
    let name = &block.name;
    let mut x = input.clone();
    // Activations, convolutions and normalisations have numbers in one row.
    let mut number = 0;
    for (at, channels) in block.channels.iter().enumerate() {
        if at > 0 || block.starts_with_relu {
            x = if at == 0 {
                net.graph.relu(&x, &format!("{name}.rep.0"))
            } else {
                net.relu(&x)
            };
            number += 1;
        }
        let (convolution, norm) = (
            format!("{name}.rep.{number}"),
            format!("{name}.rep.{}", number + 1),
        );
        x = separable(net, &x, &convolution, &norm, *channels)?;
        number += 2;
    }
    let shortcut = if block.stride == 1 {
        input.clone()
    } else {
        let window = Window::same(3, 3).stride(block.stride);
        x = net
            .graph
            .max_pool(&x, &format!("{name}.rep.{number}"), window);
        let names = (format!("{name}.skip"), format!("{name}.skipbn"));
        let window = Window::square(1, block.stride);
        net.convolution_norm(input, (&names.0, &names.1), x.channels, window)?
    };
    Ok(net.graph.add(&x, &shortcut, name))
}

/// A convolution of each channel for itself, then one across channels, then the
/// normalisation.
fn separable(
    net: &mut Layers<'_, '_>,
    input: &Value,
    name: &str,
    norm: &str,
    channels: usize,
) -> Result<Value, WeightsError> {
    let depthwise = format!("{name}.conv1");
    let x = net.depthwise(input, &depthwise, Window::same(3, 3))?;
    let pointwise = format!("{name}.pointwise");
    net.convolution_norm(&x, (&pointwise, norm), channels, Window::square(1, 1))
}
