//! How any graph becomes a backbone: where it is cut, and its card.

use std::collections::{HashMap, HashSet};

use super::Pooling;
use super::file::OnnxFile;
use super::proto::{self, Attribute, DimensionValue, Entry, Node, Type, TypeValue, attribute_type};
use crate::card::{BackboneCard, Layout, PREFIX};
use crate::error::{CardError, OnnxError};
use crate::preset::{CardSettings, ImageInput};

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
        let input = ImageInput::of(input, settings.side, own.as_ref())?;
        self.fix_input(&input)?;
        self.write_kernel_shapes();
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
        let mut logits = last
            .and_then(|last| self.logits_of(last))
            .filter(|last| *last != value);
        let mut kept: Vec<&str> = vec![&value];
        kept.extend(logits.as_deref());
        self.cut(&kept)?;
        if logits.is_some() && !self.can_run() {
            // Perhaps it is the classifier alone that cannot.
            logits = None;
            self.cut(&[&value])?;
        }

        let shapes = self.infer(1)?;
        let shape = |name: &str| shapes.shape(name).map(<[usize]>::to_vec);
        let found = shape(&value).unwrap_or_default();
        let classes = logits.as_deref().and_then(shape);
        let features = match found.as_slice() {
            [1, _] => value.clone(),
            [1, _, _, _] if input.layout == Layout::ChannelsLast => {
                return Err(OnnxError::MapsLayout { name: value });
            }
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
        if let Some(names) = &card.class_names
            && class_count != Some(names.len())
        {
            if settings.class_names.is_some() {
                return Err(OnnxError::ClassNames {
                    names: names.len(),
                    classes: class_count,
                });
            }
            card.class_names = None;
        }
        card.class_count = class_count;
        card.feature_output = features;
        card.feature_dimension = dimension;
        // It was of another output.
        card.self_test = None;
        Ok((self, card))
    }

    /// Writes the card into the metadata, in place of another.
    pub fn set_card(&mut self, card: &BackboneCard) {
        let metadata = &mut self.model.metadata_props;
        metadata.retain(|entry| !entry.key.starts_with(PREFIX));
        let entries = card.entries().into_iter();
        metadata.extend(entries.map(|(key, value)| Entry { key, value }));
    }

    /// Writes the rows and columns of the input into the graph, and leaves the
    /// number of images open.
    fn fix_input(&mut self, input: &ImageInput) -> Result<(), OnnxError> {
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
            if tensor.elem_type != proto::FLOAT {
                return Err(OnnxError::InputType {
                    name: input.name.clone(),
                });
            }
            let lengths = axes.into_iter().zip(sides.map(DimensionValue::Value));
            let batch = (0, DimensionValue::Param("batch".to_owned()));
            for (axis, length) in lengths.chain([batch]) {
                let shape = tensor.shape.as_mut();
                if let Some(dimension) = shape.and_then(|shape| shape.dim.get_mut(axis)) {
                    dimension.value = Some(length);
                }
            }
        }
        Ok(())
    }

    /// The value that the classifier reads: the input of the fully connected layer
    /// (or of the convolution of one pixel) that an output comes from, the last
    /// output first, with nothing between but a bias and what leaves the classes as
    /// they are.
    pub fn classifier_input(&self) -> Result<String, OnnxError> {
        let graph = self.graph()?;
        let mut makers: HashMap<&str, &Node> = HashMap::new();
        for node in &graph.node {
            makers.extend(node.output.iter().map(|output| (output.as_str(), node)));
        }
        // Constants that are only cast or turned are constants still.
        let mut constants: HashSet<&str> = graph
            .initializer
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        for node in &graph.node {
            let mut inputs = node.input.iter();
            if inputs.all(|input| input.is_empty() || constants.contains(input.as_str())) {
                constants.extend(node.output.iter().map(String::as_str));
            }
        }
        let sizes: HashMap<&str, &[i64]> = graph
            .initializer
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor.dims.as_slice()))
            .collect();
        let mut outputs = graph.output.iter().rev();
        outputs
            .find_map(|output| {
                let mut value = output.name.as_str();
                // There are no more steps than nodes.
                for _ in 0..=graph.node.len() {
                    let node = makers.get(value)?;
                    let weights = node.input.get(1).map(String::as_str);
                    let is_constant = weights.is_some_and(|name| constants.contains(name));
                    match node.op_type.as_str() {
                        "Gemm" | "MatMul" if is_constant => return node.input.first(),
                        "Conv" if is_constant => {
                            let sides = sizes.get(weights?)?.get(2..)?;
                            return node
                                .input
                                .first()
                                .filter(|_| sides.iter().all(|side| *side == 1));
                        }
                        kind if PASSING.contains(&kind) => {
                            // A bias is added; a shortcut leads past the layer.
                            let mut inputs = node.input.iter().map(String::as_str);
                            value = inputs.find(|input| !constants.contains(input))?;
                            if inputs.any(|input| !constants.contains(input)) {
                                return None;
                            }
                        }
                        _ => return None,
                    }
                }
                None
            })
            .cloned()
            .ok_or(OnnxError::NoClassifier)
    }

    /// The logits that an output is made of: what a softmax reads, or the output
    /// itself. A sigmoid's classes do not exclude each other: they have none.
    fn logits_of(&self, mut output: String) -> Option<String> {
        let nodes = &self.model.graph.as_ref()?.node;
        // There are no more steps than nodes.
        for _ in 0..=nodes.len() {
            let maker = nodes.iter().find(|node| node.output.contains(&output));
            match maker.map(|node| (node.op_type.as_str(), node.input.first())) {
                Some(("Sigmoid", _)) => return None,
                Some(("Softmax" | "Identity" | "Dropout", Some(input))) => output.clone_from(input),
                _ => break,
            }
        }
        Some(output)
    }

    /// Writes the sides of kernels into convolutions that leave them to the shape of
    /// their weights, as they may: the engine needs them.
    fn write_kernel_shapes(&mut self) {
        let Some(graph) = &mut self.model.graph else {
            return;
        };
        let sides: HashMap<&str, Vec<i64>> = graph
            .initializer
            .iter()
            .map(|tensor| {
                (
                    tensor.name.as_str(),
                    tensor.dims.iter().skip(2).copied().collect(),
                )
            })
            .collect();
        for node in &mut graph.node {
            let is_convolution = matches!(node.op_type.as_str(), "Conv" | "ConvTranspose");
            let mut attributes = node.attribute.iter();
            let is_written = attributes.any(|attribute| attribute.name == "kernel_shape");
            let kernel = node.input.get(1).and_then(|name| sides.get(name.as_str()));
            if let Some(kernel) = kernel.filter(|_| is_convolution && !is_written) {
                node.attribute.push(Attribute {
                    name: "kernel_shape".to_owned(),
                    ints: kernel.clone(),
                    r#type: attribute_type::INTS,
                    ..Attribute::default()
                });
            }
        }
    }
}

/// Operators between a classifier and an output.
const PASSING: [&str; 14] = [
    "Add",
    "Cast",
    "DequantizeLinear",
    "Dropout",
    "Flatten",
    "Identity",
    "LogSoftmax",
    "QuantizeLinear",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::Backbone;
    use crate::onnx::builder::{ConvolutionWeights, GraphBuilder, Value, Window, float};
    use crate::preset::Preset;

    /// A convolution, a pool, and what `head` makes of the vector.
    fn network(head: impl FnOnce(&mut GraphBuilder, &Value) -> Value) -> OnnxFile {
        let (mut graph, image) = GraphBuilder::new("net", "x", [3, 8, 8]);
        let weights = ConvolutionWeights {
            kernels: (0..54u8).map(|at| f32::from(at) / 50.0).collect(),
            outputs: 2,
            inputs: 3,
            bias: None,
        };
        let maps = graph.convolution(&image, "conv", Window::same(3, 3), &weights);
        let vector = graph.global_average(&maps, "pooled");
        let output = head(&mut graph, &vector);
        graph.finish(&[&output], Vec::new())
    }

    fn settings() -> CardSettings {
        CardSettings {
            preset: Some(Preset::Torchvision),
            ..CardSettings::default()
        }
    }

    #[test]
    fn the_classifier_is_found_where_there_is_one() {
        let file = network(|graph, vector| graph.linear(vector, "classes", &[0.0; 6], &[0.0; 3]));
        assert_eq!(file.classifier_input().unwrap(), "pooled");
        let (_, card) = file
            .into_backbone(None, Pooling::Mean, &settings(), "net")
            .unwrap();
        assert_eq!(
            (card.feature_output.as_str(), card.feature_dimension),
            ("pooled", 2)
        );
        assert_eq!(card.class_count, Some(3));
        assert_eq!(card.logits_output.as_deref(), Some("classes"));

        // A network without a head ends in features: there is nothing to cut off.
        let headless = network(|_, vector| vector.clone());
        assert!(matches!(
            headless.classifier_input(),
            Err(OnnxError::NoClassifier)
        ));
        let refused = headless
            .clone()
            .into_backbone(None, Pooling::Mean, &settings(), "");
        assert!(matches!(refused, Err(OnnxError::NoClassifier)));
        let (_, card) = headless
            .into_backbone(Some("pooled"), Pooling::Mean, &settings(), "")
            .unwrap();
        assert_eq!((card.feature_dimension, card.logits_output), (2, None));
    }

    #[test]
    fn sides_are_those_of_the_graph() {
        let file = || network(|graph, vector| graph.linear(vector, "c", &[0.0; 2], &[0.0]));
        let with_side = |side| CardSettings {
            side: Some(side),
            ..settings()
        };
        let cut =
            |file: OnnxFile, side| file.into_backbone(None, Pooling::Mean, &with_side(side), "");
        assert!(matches!(cut(file(), 16), Err(OnnxError::OtherSide { .. })));
        assert!(cut(file(), 8).is_ok());
        let mut open = file();
        let graph = open.model.graph.as_mut().unwrap();
        let Some(TypeValue::Tensor(tensor)) = &mut graph.input[0].r#type.as_mut().unwrap().value
        else {
            unreachable!("it is a tensor")
        };
        for axis in [2, 3] {
            tensor.shape.as_mut().unwrap().dim[axis].value = None;
        }
        let refused = open
            .clone()
            .into_backbone(None, Pooling::Mean, &settings(), "");
        assert!(matches!(refused, Err(OnnxError::InputSide { .. })));
        let (_, card) = cut(open, 16).unwrap();
        assert_eq!((card.height, card.width), (16, 16));
    }

    #[test]
    fn a_classifier_that_cannot_run_is_left_behind() {
        const TINY: &[u8] = include_bytes!("../../tests/data/tiny_without_card.onnx");
        let whole = OnnxFile::parse(TINY.into()).unwrap();
        let value = whole.classifier_input().unwrap();
        let mut odd = whole.clone();
        let graph = odd.model.graph.as_mut().unwrap();
        let last = graph.output.last().unwrap().name.clone();
        graph.node.push(Node {
            input: vec![last],
            output: vec!["odd".to_owned()],
            op_type: "Det".to_owned(),
            ..Node::default()
        });
        // The engine needs the sides of the kernels, which the format does not.
        let convolutions = graph.node.iter_mut().filter(|node| node.op_type == "Conv");
        convolutions.for_each(|node| node.attribute.retain(|a| a.name != "kernel_shape"));
        graph.output = vec![float("odd")];
        let settings = CardSettings {
            preset: Some(Preset::Torchvision),
            ..CardSettings::default()
        };
        let cut = |file: OnnxFile| file.into_backbone(Some(&value), Pooling::Mean, &settings, "x");
        let (mut file, card) = cut(odd).unwrap();
        assert_eq!(card.logits_output, None);
        assert_eq!(
            card.feature_dimension,
            cut(whole).unwrap().1.feature_dimension
        );
        file.set_card(&card);
        assert!(Backbone::from_onnx(file.encode()).is_ok());
    }
}
