//! What a graph's values are, before it runs: their shapes, and the memory that
//! they take.
//!
//! Rules are those of the ONNX operators (<https://onnx.ai/onnx/operators/>) with
//! numbers in place of symbols: the number of images and the sides of the input are
//! given. Arithmetic is checked, so that what an engine would allocate is known
//! before it does. `rten-shape-inference`, which has most of these rules, counts in
//! 32 bits that wrap and knows no fractions: it serves to optimise a graph that is
//! trusted.

mod check;
mod node;
mod numbers;
mod plan;
mod rules;
#[cfg(test)]
mod tests;
mod views;
mod windows;

use std::collections::{HashMap, HashSet};

use super::file::{OnnxFile, element_count, node_name};
use super::proto::{Graph, Node};
use crate::error::OnnxError;
use node::Operation;
use numbers::{Known, Numbers};

/// The most axes of a value.
const MOST_AXES: usize = 16;

/// A result, or why it cannot be told.
type Told<T> = Result<T, &'static str>;

/// What is known of a graph's values for an input of one size.
#[derive(Debug)]
pub(crate) struct Shapes<'a> {
    values: HashMap<&'a str, Known>,
    /// Values that are made of constants alone: engines make them once.
    constant: HashSet<&'a str>,
    /// Values that an operator needs beside its outputs, by the node's place.
    scratch: HashMap<usize, usize>,
}

impl Shapes<'_> {
    /// The shape of a value.
    pub(crate) fn shape(&self, value: &str) -> Option<&[usize]> {
        self.values.get(value).map(|known| known.shape.as_slice())
    }

    /// Bytes of a value: four for each number, whatever its type.
    fn bytes(&self, value: &str) -> u64 {
        let count = self.values.get(value).map_or(0, Known::count);
        bytes(count)
    }
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(4)
}

impl OnnxFile {
    /// The shapes of all values for `batch` images, from the sides that the graph
    /// itself gives its input.
    pub(crate) fn infer(&self, batch: usize) -> Result<Shapes<'_>, OnnxError> {
        let inputs = self.inputs();
        let [input] = inputs.as_slice() else {
            return Err(OnnxError::Inputs {
                found: inputs.len(),
            });
        };
        let mut shape = Vec::new();
        for (axis, length) in input.shape.iter().enumerate() {
            // The first axis is the batch, whatever number stands there.
            shape.push(match (axis, length) {
                (0, None) => batch,
                (0, Some(length)) if *length <= 1 => batch,
                (_, Some(length)) => *length,
                (_, None) => {
                    return Err(OnnxError::InputSide {
                        name: input.name.clone(),
                    });
                }
            });
        }
        self.infer_for(&input.name, &shape)
    }

    /// The shapes of all values for an input of that shape. The graph's other
    /// inputs must not be used.
    pub(crate) fn infer_for(&self, input: &str, shape: &[usize]) -> Result<Shapes<'_>, OnnxError> {
        let graph = self.graph()?;
        let mut shapes = Shapes {
            values: HashMap::new(),
            constant: HashSet::new(),
            scratch: HashMap::new(),
        };
        let untold = |value: &str, node: &str, detail: &'static str| OnnxError::UnknownShape {
            value: value.to_owned(),
            node: node.to_owned(),
            detail,
        };
        for tensor in &graph.initializer {
            let sides = tensor.dims.iter().map(|side| usize::try_from(*side));
            let known = sides
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| "an axis is negative")
                .and_then(Known::new)
                .map_err(|detail| untold(&tensor.name, "a constant", detail))?;
            let numbers = element_count(tensor).and_then(|count| Numbers::of(tensor, count));
            shapes.values.insert(&tensor.name, known.with(numbers));
            shapes.constant.insert(&tensor.name);
        }
        if let Some(info) = graph.input.iter().find(|info| info.name == input) {
            let known = Known::new(shape.to_vec());
            let known = known.map_err(|detail| untold(input, "the graph", detail))?;
            shapes.values.insert(&info.name, known);
        }
        let opset = self.opset();
        for (at, node) in graph.node.iter().enumerate() {
            shapes
                .add(at, node, opset)
                .map_err(|(value, detail)| untold(value, &node_name(node), detail))?;
        }
        Ok(shapes)
    }

    /// The version of the standard operators.
    pub(super) fn opset(&self) -> i64 {
        let sets = self.model.opset_import.iter();
        sets.filter(|set| is_standard(&set.domain))
            .map(|set| set.version)
            .max()
            .unwrap_or(0)
    }
}

impl<'a> Shapes<'a> {
    /// Adds what a node makes. An error names the value, too.
    fn add(
        &mut self,
        at: usize,
        node: &'a Node,
        opset: i64,
    ) -> Result<(), (&'a str, &'static str)> {
        let first = node.output.iter().find(|output| !output.is_empty());
        let first = first.map_or("", String::as_str);
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            inputs.push(match name.as_str() {
                "" => None,
                name => Some(
                    self.values
                        .get(name)
                        .ok_or((first, "it needs an input that images do not go into"))?,
                ),
            });
        }
        let operation = Operation::new(node, opset, inputs);
        let made = operation
            .and_then(|operation| operation.infer())
            .map_err(|detail| (first, detail))?;
        let is_constant = node
            .input
            .iter()
            .all(|name| name.is_empty() || self.constant.contains(name.as_str()));
        let mut values = made.values.into_iter();
        for output in &node.output {
            let known = values.next();
            if output.is_empty() {
                continue;
            }
            let known = known.ok_or((output.as_str(), "the operator has no such output"))?;
            self.values.insert(output, known);
            if is_constant {
                self.constant.insert(output);
            }
        }
        if made.scratch > 0 {
            self.scratch.insert(at, made.scratch);
        }
        Ok(())
    }
}

/// Whether a domain is that of the standard operators.
pub(super) fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// The place of the last node that uses each value.
fn last_uses(graph: &Graph) -> HashMap<&str, usize> {
    let mut last = HashMap::new();
    for (at, node) in graph.node.iter().enumerate() {
        last.extend(node.input.iter().map(|input| (input.as_str(), at)));
    }
    // Outputs outlive the graph.
    for output in &graph.output {
        last.insert(&output.name, usize::MAX);
    }
    last
}
