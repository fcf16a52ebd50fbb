//! VGG-16 and VGG-19: Simonyan, Zisserman, "Very Deep Convolutional Networks for
//! Large-Scale Image Recognition", 2014, <https://arxiv.org/abs/1409.1556>, table 1,
//! columns D and E.

use super::layers::{Layers, Network};
use super::weights::Weights;
use crate::error::WeightsError;
use crate::onnx::Window;

/// Channels of the 3 × 3 convolutions of each of the five blocks.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];
/// Columns D and E: convolutions of each block.
pub(super) const D: [usize; 5] = [2, 2, 3, 3, 3];
pub(super) const E: [usize; 5] = [2, 2, 4, 4, 4];

/// The features are the mean of each of the last 512 maps. `fc2` is the second
/// hidden layer of the classifier, 4,096 values, for who wants those.
pub(super) fn build(
    name: &str,
    depth: [usize; 5],
    weights: &Weights<'_>,
    side: usize,
) -> Result<Network, WeightsError> {
    // There is no normalisation.
    let (mut net, image) = Layers::new(name, side, weights, 0.0);
    let mut x = image;
    // Convolutions, activations and pools have numbers in one row.
    let mut number = 0;
    for (channels, convolutions) in CHANNELS.into_iter().zip(depth) {
        for _ in 0..convolutions {
            let layer = format!("features.{number}");
            x = net.convolution_bias(&x, &layer, channels, Window::same(3, 3))?;
            x = net.relu(&x);
            number += 2;
        }
        x = net
            .graph
            .max_pool(&x, &format!("features.{number}"), Window::square(2, 2));
        number += 1;
    }
    let features = net.graph.global_average(&x, "features");
    let x = net.convolution_bias(&x, "pre_logits.fc1", 4096, Window::square(7, 1))?;
    let x = net.relu(&x);
    let x = net.convolution_bias(&x, "pre_logits.fc2", 4096, Window::square(1, 1))?;
    let x = net.relu(&x);
    let hidden = net.graph.global_average(&x, "fc2");
    let logits = net.linear(&hidden, "head.fc", "logits", 1000)?;
    Ok(net.finish(features, logits))
}
