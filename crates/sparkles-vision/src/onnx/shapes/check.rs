//! Whether a graph may be given to an engine.

use super::{Shapes, plan};
use crate::error::OnnxError;
use crate::onnx::file::OnnxFile;
use crate::onnx::proto::Node;

/// The most bytes of one value.
const MOST_OF_VALUE: u64 = 1 << 30;

/// The most bytes of all values that are there at one time.
const MOST_OF_GRAPH: u64 = 4 << 30;

/// Bytes that values made of constants may take whatever the file's length, and
/// for each byte of its constants as 32-bit floats: they may be unpacked, turned
/// and cut up on the way.
const CONSTANTS: u64 = 256 << 20;
const CONSTANTS_TIMES: u64 = 4;

/// Products of constants with constants: some seconds.
const MOST_PRODUCTS: f64 = 16e9;

impl OnnxFile {
    /// Bytes of the activations at the peak of a run on `batch` images, by
    /// estimate: what the engine holds besides the weights.
    ///
    /// It is an upper one: nodes run in the file's order, none overwrites its
    /// input, and buffers are kept for the values that follow.
    pub fn activation_bytes(&self, batch: usize) -> Result<u64, OnnxError> {
        Ok(plan::activation_bytes(self.graph()?, &self.infer(batch)?))
    }

    /// Whether an engine may load the graph and run it on an input of that shape:
    /// the size of every value is known, and none is too large. Engines work out
    /// constants when they load a graph, so this comes first. Gives the bytes of the
    /// activations at the peak.
    pub(crate) fn check(&self, input: &str, shape: &[usize]) -> Result<u64, OnnxError> {
        let shapes = self.infer_for(input, shape)?;
        let graph = self.graph()?;
        let mut folded = 0u64;
        for output in graph.node.iter().flat_map(|node| &node.output) {
            let bytes = shapes.bytes(output);
            if bytes > MOST_OF_VALUE {
                return Err(OnnxError::TooLarge {
                    value: output.clone(),
                    bytes,
                    most: MOST_OF_VALUE,
                });
            }
            if shapes.constant.contains(output.as_str()) {
                folded = folded.saturating_add(bytes);
            }
        }
        let folded_nodes = graph.node.iter().filter(|node| {
            let mut outputs = node.output.iter();
            outputs.any(|output| shapes.constant.contains(output.as_str()))
        });
        let work: f64 = folded_nodes.map(|node| products(node, &shapes)).sum();
        if work > MOST_PRODUCTS {
            return Err(OnnxError::TooMuchWork {
                products: work,
                most: MOST_PRODUCTS,
            });
        }
        let stored = graph.initializer.iter();
        let stored = stored.fold(0u64, |sum, tensor| {
            sum.saturating_add(shapes.bytes(&tensor.name))
        });
        let scratch = shapes.scratch.values().map(|count| super::bytes(*count));
        let most = stored
            .saturating_mul(CONSTANTS_TIMES)
            .saturating_add(CONSTANTS);
        if folded > most {
            return Err(OnnxError::TooMuch {
                what: "values made of constants",
                bytes: folded,
                most,
            });
        }
        let activation_bytes = plan::activation_bytes(graph, &shapes);
        let peak = scratch.fold(activation_bytes, u64::max);
        if peak > MOST_OF_GRAPH {
            return Err(OnnxError::TooMuch {
                what: "values of one image",
                bytes: peak,
                most: MOST_OF_GRAPH,
            });
        }
        Ok(activation_bytes)
    }
}

/// About how many products an operation takes: √(a·b·c) for values of a, b and c
/// numbers, the output the third, which is exact for matrices (mk·kn·mn = (mkn)²).
fn products(node: &Node, shapes: &Shapes<'_>) -> f64 {
    let is_product = matches!(
        node.op_type.as_str(),
        "Conv"
            | "ConvInteger"
            | "ConvTranspose"
            | "Einsum"
            | "GRU"
            | "Gemm"
            | "LSTM"
            | "MatMul"
            | "MatMulInteger"
    );
    if !is_product {
        return 0.0;
    }
    let values = node.input.iter().take(2).chain(node.output.first());
    let counts = values.map(|value| shapes.bytes(value) as f64 / 4.0);
    counts.product::<f64>().sqrt()
}
