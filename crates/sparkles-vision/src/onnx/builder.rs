//! Makes the graph of a convolutional network, layer by layer.

use std::collections::HashSet;

use bytes::Bytes;

use super::file::OnnxFile;
use super::proto::{
    self, Attribute, Dimension, DimensionValue, Entry, Graph, Model, Node, OperatorSet, Shape,
    Tensor, TensorType, Type, TypeValue, ValueInfo, attribute_type,
};

/// The operators' version that is written, and the file format's.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// A value in the making: a batch of maps or of vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    /// Its name in the graph.
    pub(crate) name: String,
    /// Channels of the maps, or length of the vectors.
    pub(crate) channels: usize,
}

/// How a kernel moves over a map: rows, then columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Rows and columns of the kernel.
    pub(crate) kernel: [usize; 2],
    /// The step of both axes.
    pub(crate) stride: usize,
    /// Zeros around the map: above, left, below, right.
    pub(crate) padding: [usize; 4],
}

impl Window {
    /// A square kernel without padding.
    pub(crate) fn square(side: usize, stride: usize) -> Self {
        Self {
            kernel: [side, side],
            stride,
            padding: [0; 4],
        }
    }

    /// A kernel of odd sides with the padding that keeps the size at stride 1.
    pub(crate) fn same(rows: usize, columns: usize) -> Self {
        Self {
            kernel: [rows, columns],
            stride: 1,
            padding: [rows / 2, columns / 2, rows / 2, columns / 2],
        }
    }

    /// The same with another stride.
    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// The same with `before` zeros above and left, and `after` below and right.
    pub(crate) fn padded(self, before: usize, after: usize) -> Self {
        Self {
            padding: [before, before, after, after],
            ..self
        }
    }

    fn attributes(self) -> Vec<Attribute> {
        vec![
            ints("kernel_shape", &self.kernel),
            ints("strides", &[self.stride, self.stride]),
            ints("pads", &self.padding),
        ]
    }
}

/// Weights of a convolution: output channels × input channels of a group × rows ×
/// columns, and one bias an output channel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConvolutionWeights {
    /// The kernels.
    pub(crate) kernels: Vec<f32>,
    /// Output channels.
    pub(crate) outputs: usize,
    /// Input channels of a group.
    pub(crate) inputs: usize,
    /// The biases.
    pub(crate) bias: Option<Vec<f32>>,
}

/// A graph in the making.
#[derive(Debug, Default)]
pub(crate) struct GraphBuilder {
    graph: Graph,
}

impl GraphBuilder {
    /// A graph whose input is a batch of images of that shape: channels, rows,
    /// columns.
    pub(crate) fn new(name: &str, input: &str, shape: [usize; 3]) -> (Self, Value) {
        let dimensions: Vec<Dimension> = std::iter::once(DimensionValue::Param("batch".to_owned()))
            .chain(shape.map(|side| DimensionValue::Value(signed(side))))
            .map(|value| Dimension {
                value: Some(value),
                denotation: String::new(),
            })
            .collect();
        let mut builder = Self::default();
        name.clone_into(&mut builder.graph.name);
        builder
            .graph
            .input
            .push(value_info(input, proto::FLOAT, dimensions));
        let value = Value {
            name: input.to_owned(),
            channels: shape[0],
        };
        (builder, value)
    }

    /// More of a graph that is there.
    pub(crate) fn on(graph: Graph) -> Self {
        Self { graph }
    }

    /// The graph so far.
    pub(crate) fn into_graph(self) -> Graph {
        self.graph
    }

    /// A name that no value has: `name`, and as many underscores as it takes.
    pub(crate) fn unused(&self, name: &str) -> String {
        unused(&self.graph, name)
    }

    /// A convolution; groups follow from the weights.
    pub(crate) fn convolution(
        &mut self,
        input: &Value,
        name: &str,
        window: Window,
        weights: &ConvolutionWeights,
    ) -> Value {
        let shape = [
            weights.outputs,
            weights.inputs,
            window.kernel[0],
            window.kernel[1],
        ];
        let mut inputs = vec![
            input.name.clone(),
            self.constant(&format!("{name}.weight"), &shape, &weights.kernels),
        ];
        if let Some(bias) = &weights.bias {
            inputs.push(self.constant(&format!("{name}.bias"), &[weights.outputs], bias));
        }
        let mut attributes = window.attributes();
        let groups = input.channels / weights.inputs.max(1);
        attributes.push(integer("group", groups));
        self.node("Conv", name, inputs, attributes, weights.outputs)
    }

    /// The larger of a value and 0.
    pub(crate) fn relu(&mut self, input: &Value, name: &str) -> Value {
        let inputs = vec![input.name.clone()];
        self.node("Relu", name, inputs, Vec::new(), input.channels)
    }

    /// The larger of a value and 0, at most 6.
    pub(crate) fn relu6(&mut self, input: &Value, name: &str) -> Value {
        let bounds = [("relu6.least", 0.0), ("relu6.most", 6.0)];
        let mut inputs = vec![input.name.clone()];
        for (bound, value) in bounds {
            let mut known = self.graph.initializer.iter();
            if !known.any(|tensor| tensor.name == bound) {
                self.constant(bound, &[], &[value]);
            }
            inputs.push(bound.to_owned());
        }
        self.node("Clip", name, inputs, Vec::new(), input.channels)
    }

    /// The largest value under a kernel.
    pub(crate) fn max_pool(&mut self, input: &Value, name: &str, window: Window) -> Value {
        self.node(
            "MaxPool",
            name,
            vec![input.name.clone()],
            window.attributes(),
            input.channels,
        )
    }

    /// The mean of the values under a kernel, the padding's zeros among them.
    pub(crate) fn average_pool(&mut self, input: &Value, name: &str, window: Window) -> Value {
        let mut attributes = window.attributes();
        attributes.push(integer("count_include_pad", 1));
        self.node(
            "AveragePool",
            name,
            vec![input.name.clone()],
            attributes,
            input.channels,
        )
    }

    /// Maps one behind the other.
    pub(crate) fn concatenate(&mut self, inputs: &[Value], name: &str) -> Value {
        let channels = inputs.iter().map(|value| value.channels).sum();
        let names = inputs.iter().map(|value| value.name.clone()).collect();
        self.node("Concat", name, names, vec![integer("axis", 1)], channels)
    }

    /// The sum of two values.
    pub(crate) fn add(&mut self, left: &Value, right: &Value, name: &str) -> Value {
        let inputs = vec![left.name.clone(), right.name.clone()];
        self.node("Add", name, inputs, Vec::new(), left.channels)
    }

    /// The mean of each map: a vector.
    pub(crate) fn global_average(&mut self, input: &Value, name: &str) -> Value {
        let pooled = self.node(
            "GlobalAveragePool",
            &format!("{name}.pooled"),
            vec![input.name.clone()],
            Vec::new(),
            input.channels,
        );
        self.flatten(&pooled, name)
    }

    /// Maps of one pixel as a vector.
    pub(crate) fn flatten(&mut self, input: &Value, name: &str) -> Value {
        self.node(
            "Flatten",
            name,
            vec![input.name.clone()],
            vec![integer("axis", 1)],
            input.channels,
        )
    }

    /// A matrix (outputs × inputs) times a vector, and a bias.
    pub(crate) fn linear(
        &mut self,
        input: &Value,
        name: &str,
        matrix: &[f32],
        bias: &[f32],
    ) -> Value {
        let shape = [bias.len(), input.channels];
        let inputs = vec![
            input.name.clone(),
            self.constant(&format!("{name}.weight"), &shape, matrix),
            self.constant(&format!("{name}.bias"), &[bias.len()], bias),
        ];
        self.node("Gemm", name, inputs, vec![integer("transB", 1)], bias.len())
    }

    /// exp(x) / Σ exp(x) of each vector.
    pub(crate) fn softmax(&mut self, input: &Value, name: &str) -> Value {
        let inputs = vec![input.name.clone()];
        let axis = vec![integer("axis", 1)];
        self.node("Softmax", name, inputs, axis, input.channels)
    }

    /// The index of the largest value of each vector, the first of equals.
    pub(crate) fn largest(&mut self, input: &Value, name: &str) -> Value {
        let inputs = vec![input.name.clone()];
        let attributes = vec![integer("axis", 1), integer("keepdims", 0)];
        self.node("ArgMax", name, inputs, attributes, 1)
    }

    /// The whole file: `outputs` are vectors, `card` stands in its metadata.
    pub(crate) fn finish(mut self, outputs: &[&Value], card: Vec<(String, String)>) -> OnnxFile {
        for output in outputs {
            let dimensions = vec![
                Dimension {
                    value: Some(DimensionValue::Param("batch".to_owned())),
                    denotation: String::new(),
                },
                Dimension {
                    value: Some(DimensionValue::Value(signed(output.channels))),
                    denotation: String::new(),
                },
            ];
            self.graph
                .output
                .push(value_info(&output.name, proto::FLOAT, dimensions));
        }
        let model = Model {
            ir_version: IR_VERSION,
            producer_name: "sparkles".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSet {
                domain: String::new(),
                version: OPSET,
            }],
            metadata_props: card
                .into_iter()
                .map(|(key, value)| Entry { key, value })
                .collect(),
            ..Model::default()
        };
        OnnxFile { model }
    }

    fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.graph.initializer.push(Tensor {
            name: name.to_owned(),
            dims: shape.iter().map(|&side| signed(side)).collect(),
            data_type: proto::FLOAT,
            raw_data: Bytes::from(bytes),
            ..Tensor::default()
        });
        name.to_owned()
    }

    fn node(
        &mut self,
        operator: &str,
        name: &str,
        input: Vec<String>,
        attribute: Vec<Attribute>,
        channels: usize,
    ) -> Value {
        self.graph.node.push(Node {
            input,
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute,
            ..Node::default()
        });
        Value {
            name: name.to_owned(),
            channels,
        }
    }
}

/// A name that no value has: `name`, and as many underscores as it takes.
pub(super) fn unused(graph: &Graph, name: &str) -> String {
    let taken: HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|node| &node.output)
        .chain(graph.initializer.iter().map(|tensor| &tensor.name))
        .chain(graph.input.iter().map(|input| &input.name))
        .map(String::as_str)
        .collect();
    let mut unused = name.to_owned();
    while taken.contains(unused.as_str()) {
        unused.push('_');
    }
    unused
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn integer(name: &str, value: usize) -> Attribute {
    Attribute {
        name: name.to_owned(),
        i: signed(value),
        r#type: attribute_type::INT,
        ..Attribute::default()
    }
}

fn ints(name: &str, values: &[usize]) -> Attribute {
    Attribute {
        name: name.to_owned(),
        ints: values.iter().map(|&value| signed(value)).collect(),
        r#type: attribute_type::INTS,
        ..Attribute::default()
    }
}

/// 32-bit floats of unknown shape.
pub(super) fn float(name: &str) -> ValueInfo {
    ValueInfo {
        name: name.to_owned(),
        r#type: Some(Type {
            value: Some(TypeValue::Tensor(TensorType {
                elem_type: proto::FLOAT,
                shape: None,
            })),
            denotation: String::new(),
        }),
        ..ValueInfo::default()
    }
}

/// What is known of a value: its type, by `TensorProto.DataType`, and its shape.
pub(super) fn value_info(name: &str, elem_type: i32, dim: Vec<Dimension>) -> ValueInfo {
    ValueInfo {
        name: name.to_owned(),
        r#type: Some(Type {
            value: Some(TypeValue::Tensor(TensorType {
                elem_type,
                shape: Some(Shape { dim }),
            })),
            denotation: String::new(),
        }),
        ..ValueInfo::default()
    }
}
