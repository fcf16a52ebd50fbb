//! From maps to one vector an image.

use super::builder::unused;
use super::file::OnnxFile;
use super::proto::{Attribute, Node, attribute_type};

/// How maps become a vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of each map.
    #[default]
    Mean,
    /// All values of all maps: row by row, column by column, the channels of each
    /// pixel together, as Keras flattens them.
    None,
}

impl std::str::FromStr for Pooling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mean" => Ok(Self::Mean),
            "none" => Ok(Self::None),
            _ => Err(format!("`{text}` is none of mean, none")),
        }
    }
}

impl std::fmt::Display for Pooling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::None => "none",
        })
    }
}

impl OnnxFile {
    /// Adds nodes that turn a batch of maps into one vector an image. Gives the
    /// name of the vectors.
    pub(super) fn pool(&mut self, maps: &str, name: &str, pooling: Pooling) -> String {
        let Some(graph) = &mut self.model.graph else {
            return maps.to_owned();
        };
        let (operator, attribute, kind) = match pooling {
            Pooling::Mean => ("GlobalAveragePool", Vec::new(), "pooled"),
            Pooling::None => {
                let order = Attribute {
                    name: "perm".to_owned(),
                    ints: vec![0, 2, 3, 1],
                    r#type: attribute_type::INTS,
                    ..Attribute::default()
                };
                ("Transpose", vec![order], "turned")
            }
        };
        let between = unused(graph, &format!("{name}.{kind}"));
        graph.node.push(node(operator, maps, &between, attribute));
        let output = unused(graph, name);
        graph
            .node
            .push(node("Flatten", &between, &output, Vec::new()));
        output
    }

    /// The maps that a vector is the mean of, where it is one.
    pub(super) fn maps_of(&self, vector: &str) -> Option<String> {
        let graph = self.model.graph.as_ref()?;
        let maker = |value: &str| {
            let made = |node: &&Node| node.output.iter().any(|output| output == value);
            graph.node.iter().find(made)
        };
        let mut node = maker(vector)?;
        while matches!(node.op_type.as_str(), "Flatten" | "Reshape" | "Squeeze") {
            node = maker(node.input.first()?)?;
        }
        let is_pool = match node.op_type.as_str() {
            "GlobalAveragePool" => true,
            "ReduceMean" => matches!(
                self.axes(node).as_deref(),
                Some([2, 3] | [-2, -1] | [-1, -2])
            ),
            _ => false,
        };
        node.input.first().filter(|_| is_pool).cloned()
    }

    /// The axes that a node works on: an attribute, or since version 18 a constant.
    fn axes(&self, node: &Node) -> Option<Vec<i64>> {
        let mut attributes = node.attribute.iter();
        if let Some(attribute) = attributes.find(|attribute| attribute.name == "axes") {
            return Some(attribute.ints.clone());
        }
        let graph = self.model.graph.as_ref()?;
        let name = node.input.get(1)?;
        let tensor = graph
            .initializer
            .iter()
            .find(|tensor| tensor.name == *name)?;
        if tensor.raw_data.is_empty() {
            return Some(tensor.int64_data.clone());
        }
        let numbers = tensor.raw_data.as_chunks().0.iter();
        Some(numbers.map(|bytes| i64::from_le_bytes(*bytes)).collect())
    }
}

fn node(operator: &str, input: &str, output: &str, attribute: Vec<Attribute>) -> Node {
    Node {
        input: vec![input.to_owned()],
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: operator.to_owned(),
        attribute,
        ..Node::default()
    }
}
