//! What a graph consists of, what it costs, and what the engine makes of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::builder::float;
use super::file::{Endpoint, OnnxFile, element_count, node_name};
use super::proto::{Graph, Model, Node, Tensor};
use super::shapes::is_standard;
use crate::engine;
use crate::error::OnnxError;

/// What is in an ONNX file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Version of the file format.
    pub ir_version: i64,
    /// Version of the standard operators.
    pub opset: i64,
    /// The program that wrote it.
    pub producer: String,
    /// Inputs that are no constants.
    pub inputs: Vec<Endpoint>,
    /// Outputs.
    pub outputs: Vec<Endpoint>,
    /// How often each operator occurs.
    pub operators: BTreeMap<String, u64>,
    /// Values of all initialisers together.
    pub parameters: u64,
    /// Multiplications with an addition of convolutions and of products with
    /// constant matrices, for one image; `None` where the sizes of values cannot
    /// be told, as where the graph leaves rows and columns open.
    pub multiply_adds: Option<u64>,
    /// Images of the batch that [`Self::activation_bytes`] is for.
    pub batch: usize,
    /// Bytes of the values between the nodes at the peak of a run on such a batch,
    /// by estimate, beside the weights; `None` where their sizes cannot be told.
    pub activation_bytes: Option<u64>,
    /// What the engine cannot run: the operator, and why.
    pub unsupported: Vec<String>,
    /// The values that the graph can be cut at, in order: name and operator.
    pub values: Vec<(String, String)>,
}

impl OnnxFile {
    /// Counts what is in the file. Nothing is run: the memory for `batch` images
    /// follows from the shapes.
    pub fn inspect(&self, batch: usize) -> Result<Inspection, OnnxError> {
        let graph = self.graph()?;
        let mut operators = BTreeMap::new();
        for node in &graph.node {
            *operators.entry(operator(node)).or_insert(0) += 1;
        }
        let unsupported = self.unsupported(graph);
        Ok(Inspection {
            ir_version: self.model.ir_version,
            opset: self.opset(),
            producer: format!(
                "{} {}",
                self.model.producer_name, self.model.producer_version
            )
            .trim()
            .to_owned(),
            inputs: self.inputs(),
            outputs: self.outputs(),
            operators,
            parameters: self.parameters(),
            multiply_adds: self.multiply_adds(graph),
            batch,
            activation_bytes: self.activation_bytes(batch).ok(),
            unsupported,
            values: graph
                .node
                .iter()
                .flat_map(|node| {
                    let outputs = node.output.iter().filter(|output| !output.is_empty());
                    outputs.map(|output| (output.clone(), operator(node)))
                })
                .collect(),
        })
    }

    /// Values of all constants together.
    pub(crate) fn parameters(&self) -> u64 {
        let graph = self.model.graph.iter();
        let counts = graph.flat_map(|graph| graph.initializer.iter().filter_map(element_count));
        counts.map(|count| count as u64).sum()
    }

    fn multiply_adds(&self, graph: &Graph) -> Option<u64> {
        let constants: HashMap<&str, &Tensor> = graph
            .initializer
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect();
        // Constants may be cast before they are used.
        let mut makers: HashMap<&str, &Node> = HashMap::new();
        for node in &graph.node {
            makers.extend(node.output.iter().map(|output| (output.as_str(), node)));
        }
        let products: Vec<&Node> = graph
            .node
            .iter()
            .filter(|node| matches!(node.op_type.as_str(), "Conv" | "Gemm" | "MatMul"))
            .collect();
        let shapes = self.infer(1).ok()?;
        let mut sum = 0u64;
        for node in products {
            let sides = shapes.shape(node.output.first()?)?.iter();
            let output = sides.map(|side| *side as u64).product::<u64>();
            let Some(weights) = node
                .input
                .get(1)
                .and_then(|name| constant(name, &constants, &makers))
            else {
                continue;
            };
            let count = element_count(weights)? as u64;
            // Outputs times the inputs that each of them sums over.
            let outputs_of_weights = match node.op_type.as_str() {
                "Conv" => weights.dims.first(),
                "Gemm" if is_transposed(node) => weights.dims.first(),
                _ => weights.dims.last(),
            };
            let outputs_of_weights = u64::try_from(*outputs_of_weights?).ok()?.max(1);
            sum = sum.checked_add(output.checked_mul(count / outputs_of_weights)?)?;
        }
        Some(sum)
    }

    /// Whether the engine knows all operators, and the sizes of all values are known.
    pub(super) fn can_run(&self) -> bool {
        let graph = self.graph();
        graph.is_ok_and(|graph| self.unsupported(graph).is_empty()) && self.infer(1).is_ok()
    }

    /// The operators that the engine refuses, each with its reason.
    fn unsupported(&self, graph: &Graph) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut unsupported = Vec::new();
        for node in &graph.node {
            // Nodes that differ in their constants only are tried once.
            let mut plain = self.alone(node);
            for node in plain
                .model
                .graph
                .iter_mut()
                .flat_map(|graph| &mut graph.node)
            {
                node.name.clear();
                node.input.iter_mut().for_each(String::clear);
                node.output.iter_mut().for_each(String::clear);
                node.attribute.retain(|attribute| attribute.t.is_none());
            }
            let nodes = plain.model.graph.iter().flat_map(|graph| &graph.node);
            let kind: Vec<u8> = nodes.flat_map(prost::Message::encode_to_vec).collect();
            if !seen.insert(kind) {
                continue;
            }
            if let Err(reason) = engine::can_load(self.alone(node).encode()) {
                unsupported.push(format!("{}: {reason}", node_name(node)));
            }
        }
        unsupported
    }

    /// A graph of that node alone.
    fn alone(&self, node: &Node) -> Self {
        let named = |names: &[String]| {
            let names = names.iter().filter(|name| !name.is_empty());
            let distinct: BTreeSet<&String> = names.collect();
            distinct.into_iter().map(|name| float(name)).collect()
        };
        Self {
            model: Model {
                ir_version: self.model.ir_version,
                opset_import: self.model.opset_import.clone(),
                graph: Some(Graph {
                    name: "node".to_owned(),
                    input: named(&node.input),
                    output: named(&node.output),
                    node: vec![node.clone()],
                    ..Graph::default()
                }),
                ..Model::default()
            },
        }
    }
}

/// The constant that a value is made of, be it cast or turned on the way.
fn constant<'a>(
    mut name: &'a str,
    constants: &HashMap<&'a str, &'a Tensor>,
    makers: &HashMap<&'a str, &'a Node>,
) -> Option<&'a Tensor> {
    // There are no more steps than nodes.
    for _ in 0..=makers.len() {
        if let Some(tensor) = constants.get(name) {
            return Some(tensor);
        }
        name = makers.get(name)?.input.first()?;
    }
    None
}

/// The operator's name, with its domain where it is no standard one.
fn operator(node: &Node) -> String {
    if is_standard(&node.domain) {
        node.op_type.clone()
    } else {
        format!("{}.{}", node.domain, node.op_type)
    }
}

fn is_transposed(node: &Node) -> bool {
    let mut attributes = node.attribute.iter();
    attributes.any(|attribute| attribute.name == "transB" && attribute.i != 0)
}
