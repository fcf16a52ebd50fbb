//! A graph without what is not needed for some of its values.

use std::collections::{HashMap, HashSet};

use super::file::OnnxFile;
use super::proto::{
    self, Attribute, DimensionValue, Entry, Graph, Node, TensorType, Type, TypeValue, ValueInfo,
    attribute_type,
};
use crate::card::{BackboneCard, Layout, PREFIX};
use crate::error::{CardError, OnnxError};
use crate::preset::{CardSettings, ImageInput};

impl OnnxFile {
    /// Keeps what makes the values `outputs`, in that order, and nothing else.
    pub fn cut(&mut self, outputs: &[&str]) -> Result<(), OnnxError> {
        let graph = self.graph()?;
        let makers: HashMap<&str, usize> = graph
            .node
            .iter()
            .enumerate()
            .flat_map(|(at, node)| node.output.iter().map(move |name| (name.as_str(), at)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        for name in outputs {
            if !makers.contains_key(name) {
                return Err(OnnxError::NoSuchValue {
                    name: (*name).to_owned(),
                    closest: closest(name, makers.keys().copied()),
                });
            }
        }
        // Backwards from the outputs.
        let mut pending: Vec<&str> = outputs.to_vec();
        let mut values: HashSet<&str> = HashSet::new();
        let mut nodes = vec![false; graph.node.len()];
        while let Some(name) = pending.pop() {
            if !values.insert(name) {
                continue;
            }
            let Some(&at) = makers.get(name) else {
                continue;
            };
            let (Some(is_kept), Some(node)) = (nodes.get_mut(at), graph.node.get(at)) else {
                continue;
            };
            if !std::mem::replace(is_kept, true) {
                uses(node, &mut pending);
            }
        }
        let values: HashSet<String> = values.into_iter().map(str::to_owned).collect();
        let known: HashMap<String, ValueInfo> = graph
            .output
            .iter()
            .chain(&graph.value_info)
            .map(|info| (info.name.clone(), info.clone()))
            .collect();
        let Some(graph) = &mut self.model.graph else {
            return Ok(());
        };
        let mut is_kept = nodes.into_iter();
        graph.node.retain(|_| is_kept.next().unwrap_or(false));
        graph
            .initializer
            .retain(|tensor| values.contains(&tensor.name));
        graph.input.retain(|input| values.contains(&input.name));
        graph.value_info.retain(|info| values.contains(&info.name));
        graph.output = outputs
            .iter()
            .map(|name| known.get(*name).cloned().unwrap_or_else(|| float(name)))
            .collect();
        Ok(())
    }

    /// The value that the classifier reads: the input of the last fully connected
    /// layer, or of the last convolution where there is none.
    pub fn classifier_input(&self) -> Result<String, OnnxError> {
        let graph = self.graph()?;
        let constants: HashSet<&str> = graph
            .initializer
            .iter()
            .map(|tensor| tensor.name.as_str())
            .chain(
                graph
                    .node
                    .iter()
                    .filter(|node| node.input.is_empty())
                    .flat_map(|node| node.output.iter().map(String::as_str)),
            )
            .collect();
        // Constants that are only cast or turned are constants still.
        let mut constants = constants;
        for node in &graph.node {
            if !node.input.is_empty()
                && node
                    .input
                    .iter()
                    .all(|input| constants.contains(input.as_str()))
            {
                constants.extend(node.output.iter().map(String::as_str));
            }
        }
        let has_constant = |node: &&Node| {
            let weights = node.input.get(1);
            weights.is_some_and(|input| constants.contains(input.as_str()))
        };
        let last = |operators: &[&str]| {
            let mut nodes = graph.node.iter().rev().filter(has_constant);
            nodes.find(|node| operators.contains(&node.op_type.as_str()))
        };
        // Some networks classify by a convolution of one pixel.
        let layer = last(&["Gemm", "MatMul"]).or_else(|| last(&["Conv"]));
        layer
            .and_then(|node| node.input.first().cloned())
            .ok_or(OnnxError::NoClassifier)
    }

    /// Adds nodes that turn a batch of maps into one vector an image. Gives the
    /// name of the vectors.
    fn pool(&mut self, maps: &str, name: &str, pooling: Pooling) -> String {
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
    fn maps_of(&self, vector: &str) -> Option<String> {
        let graph = self.model.graph.as_ref()?;
        let maker = |value: &str| {
            let made = |node: &&Node| node.output.iter().any(|output| output == value);
            graph.node.iter().find(made)
        };
        let mut node = maker(vector)?;
        while matches!(node.op_type.as_str(), "Flatten" | "Reshape" | "Squeeze") {
            node = maker(node.input.first()?)?;
        }
        let is_pool = matches!(node.op_type.as_str(), "GlobalAveragePool" | "ReduceMean");
        node.input.first().filter(|_| is_pool).cloned()
    }
}

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

/// The values that a node uses, those of graphs inside it too.
fn uses<'a>(node: &'a Node, names: &mut Vec<&'a str>) {
    names.extend(node.input.iter().map(String::as_str));
    for attribute in &node.attribute {
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            for node in &graph.node {
                uses(node, names);
            }
            names.extend(graph.output.iter().map(|output| output.name.as_str()));
        }
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

/// A name that no value has.
fn unused(graph: &Graph, name: &str) -> String {
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

/// 32-bit floats of unknown shape.
fn float(name: &str) -> ValueInfo {
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

/// The three names that share the longest beginning or end with `name`.
fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let shared = |other: &str| {
        let same = |pair: &(char, char)| pair.0 == pair.1;
        let start = name.chars().zip(other.chars()).take_while(same).count();
        let end = name.chars().rev().zip(other.chars().rev()).take_while(same);
        start.max(end.count())
    };
    let mut names: Vec<(usize, &str)> = names.map(|other| (shared(other), other)).collect();
    names.retain(|(shared, _)| *shared > 0);
    names.sort_by(|a, b| {
        b.0.cmp(&a.0)
            .then(a.1.len().cmp(&b.1.len()))
            .then(a.1.cmp(b.1))
    });
    names.truncate(3);
    names.into_iter().map(|(_, name)| name.to_owned()).collect()
}

impl OnnxFile {
    /// Cuts the graph at the features, pools maps to a vector, and makes the card.
    ///
    /// `output` is the value to cut at; without one, the output that the file's own
    /// card names, or else what the classifier reads. What the graph gave last is
    /// kept as logits where it is one vector an image. `name` is for a file without
    /// a card.
    pub fn into_backbone(
        mut self,
        output: Option<&str>,
        pooling: Pooling,
        settings: &CardSettings,
        name: &str,
    ) -> Result<(Self, BackboneCard), OnnxError> {
        let own = match BackboneCard::from_metadata(self.metadata()) {
            Ok(card) => Some(card),
            Err(CardError::NoCard) => None,
            Err(error) => return Err(error.into()),
        };
        let inputs = self.inputs();
        let [input] = inputs.as_slice() else {
            return Err(OnnxError::Inputs {
                found: inputs.len(),
            });
        };
        let input = ImageInput::of(input, settings.side)?;
        self.fix_input(&input);
        let mut card = settings.card(own, &input, name)?;
        let value = match output {
            Some(output) => output.to_owned(),
            None if !card.feature_output.is_empty() => card.feature_output.clone(),
            None => self.classifier_input()?,
        };
        // A vector that the file has pooled already is taken as it was before.
        let value = match pooling {
            Pooling::None if output.is_none() => self.maps_of(&value).unwrap_or(value),
            _ => value,
        };
        let last = match &card.logits_output {
            Some(logits) => Some(logits.clone()),
            None => self.outputs().last().map(|output| output.name.clone()),
        };
        let logits = last.filter(|last| *last != value);
        let mut kept: Vec<&str> = vec![&value];
        kept.extend(logits.as_deref());
        self.cut(&kept)?;

        let shape = |file: &Self, name: &str| {
            let shapes = file.shapes(&[name])?;
            shapes.get(name).cloned()
        };
        let found = shape(&self, &value).ok_or(OnnxError::CannotRun)?;
        let features = match found.as_slice() {
            [1, _] => value.clone(),
            [1, _, _, _] => self.pool(&value, "features", pooling),
            _ => {
                return Err(OnnxError::FeatureShape {
                    name: value,
                    shape: found,
                });
            }
        };
        let dimension: usize = match (found.as_slice(), pooling) {
            ([_, channels, _, _], Pooling::Mean) => *channels,
            (sides, _) => sides.iter().skip(1).product(),
        };
        let classes = logits.as_deref().and_then(|logits| shape(&self, logits));
        let class_count = match classes.as_deref() {
            Some([1, count]) => Some(*count),
            _ => None,
        };
        let mut kept: Vec<&str> = vec![&features];
        kept.extend(logits.as_deref().filter(|_| class_count.is_some()));
        self.cut(&kept)?;
        card.logits_output = logits.filter(|_| class_count.is_some());
        if card.class_count != class_count {
            card.classes = None;
        }
        card.class_count = class_count;
        card.feature_output = features;
        card.feature_dimension = dimension;
        Ok((self, card))
    }

    /// Writes the card into the metadata, in place of another.
    pub fn set_card(&mut self, card: &BackboneCard) {
        let metadata = &mut self.model.metadata_props;
        metadata.retain(|entry| !entry.key.starts_with(PREFIX));
        let entries = card.entries().into_iter();
        metadata.extend(entries.map(|(key, value)| Entry { key, value }));
    }

    /// Writes the rows and columns of the input into the graph.
    fn fix_input(&mut self, input: &ImageInput) {
        let sides = [i64::from(input.height), i64::from(input.width)];
        let axes = match input.layout {
            Layout::ChannelsFirst => [2, 3],
            Layout::ChannelsLast => [1, 2],
        };
        let graph = self.model.graph.iter_mut();
        let inputs = graph.flat_map(|graph| &mut graph.input);
        for info in inputs.filter(|info| info.name == input.name) {
            let Some(Type {
                value: Some(TypeValue::Tensor(tensor)),
                ..
            }) = &mut info.r#type
            else {
                continue;
            };
            for (axis, side) in axes.into_iter().zip(sides) {
                let shape = tensor.shape.as_mut();
                if let Some(dimension) = shape.and_then(|shape| shape.dim.get_mut(axis)) {
                    dimension.value = Some(DimensionValue::Value(side));
                }
            }
        }
    }
}
