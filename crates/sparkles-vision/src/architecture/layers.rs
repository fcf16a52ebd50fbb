//! Layers of a network with their weights.

use super::weights::Weights;
use crate::error::WeightsError;
use crate::onnx::{GraphBuilder, Value, Window};

/// The input of every network here.
pub(super) const INPUT: &str = "image";

/// A network in the making: the graph, and where its weights come from.
pub(super) struct Layers<'a, 'w> {
    /// Layers without weights are added to it.
    pub(super) graph: GraphBuilder,
    weights: &'a Weights<'w>,
    /// ε of the normalisations.
    epsilon: f64,
}

/// A whole network: its graph and its two outputs.
pub(super) struct Network {
    pub(super) graph: GraphBuilder,
    pub(super) features: Value,
    pub(super) logits: Value,
}

impl<'a, 'w> Layers<'a, 'w> {
    /// A network for square images in colour.
    pub(super) fn new(
        name: &str,
        side: usize,
        weights: &'a Weights<'w>,
        epsilon: f64,
    ) -> (Self, Value) {
        let (graph, image) = GraphBuilder::new(name, INPUT, [3, side, side]);
        let layers = Self {
            graph,
            weights,
            epsilon,
        };
        (layers, image)
    }

    pub(super) fn finish(self, features: Value, logits: Value) -> Network {
        Network {
            graph: self.graph,
            features,
            logits,
        }
    }

    /// A convolution and the normalisation behind it, by their names.
    pub(super) fn convolution_norm(
        &mut self,
        input: &Value,
        (convolution, norm): (&str, &str),
        channels: usize,
        window: Window,
    ) -> Result<Value, WeightsError> {
        let [rows, columns] = window.kernel;
        let shape = [channels, input.channels, rows, columns];
        let weights =
            self.weights
                .normalised_convolution(convolution, norm, shape, self.epsilon)?;
        Ok(self.graph.convolution(input, convolution, window, &weights))
    }

    /// A convolution with a bias.
    pub(super) fn convolution_bias(
        &mut self,
        input: &Value,
        name: &str,
        channels: usize,
        window: Window,
    ) -> Result<Value, WeightsError> {
        let [rows, columns] = window.kernel;
        let shape = [channels, input.channels, rows, columns];
        let weights = self.weights.convolution(name, shape, true)?;
        Ok(self.graph.convolution(input, name, window, &weights))
    }

    /// A convolution of each channel for itself, without a bias.
    pub(super) fn depthwise(
        &mut self,
        input: &Value,
        name: &str,
        window: Window,
    ) -> Result<Value, WeightsError> {
        let [rows, columns] = window.kernel;
        let shape = [input.channels, 1, rows, columns];
        let weights = self.weights.convolution(name, shape, false)?;
        Ok(self.graph.convolution(input, name, window, &weights))
    }

    /// A convolution of each channel for itself and the normalisation behind it.
    pub(super) fn depthwise_norm(
        &mut self,
        input: &Value,
        (convolution, norm): (&str, &str),
        window: Window,
    ) -> Result<Value, WeightsError> {
        let [rows, columns] = window.kernel;
        let shape = [input.channels, 1, rows, columns];
        let weights =
            self.weights
                .normalised_convolution(convolution, norm, shape, self.epsilon)?;
        Ok(self.graph.convolution(input, convolution, window, &weights))
    }

    /// A matrix and a bias, both of the weights `name`; the output is called
    /// `output`.
    pub(super) fn linear(
        &mut self,
        input: &Value,
        name: &str,
        output: &str,
        outputs: usize,
    ) -> Result<Value, WeightsError> {
        let shape = [outputs, input.channels];
        let matrix = self.weights.tensor(&format!("{name}.weight"), &shape)?;
        let bias = self.weights.tensor(&format!("{name}.bias"), &[outputs])?;
        Ok(self.graph.linear(input, output, &matrix, &bias))
    }

    /// An activation, named after what it follows.
    pub(super) fn relu(&mut self, input: &Value) -> Value {
        self.graph.relu(input, &format!("{}.relu", input.name))
    }

    /// The same, at most 6.
    pub(super) fn relu6(&mut self, input: &Value) -> Value {
        self.graph.relu6(input, &format!("{}.relu6", input.name))
    }
}
