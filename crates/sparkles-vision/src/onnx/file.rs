//! An ONNX file that was read and checked.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use prost::Message as _;
use serde::Serialize;

use super::proto::{self, DimensionValue, Graph, Model, Node, Tensor, TypeValue, ValueInfo};
use crate::error::OnnxError;

/// An ONNX file, as its messages. What is read is whole: every value that a node
/// uses is made before, and every constant has as many bytes as its shape says.
#[derive(Clone, PartialEq)]
pub struct OnnxFile {
    pub(super) model: Model,
}

/// A value at an end of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Its axes; `None` where a length is free or unknown.
    pub shape: Vec<Option<usize>>,
}

impl OnnxFile {
    /// Reads a file. Constants are not copied.
    ///
    /// Values that lie in other files are read by [`Self::read_external`] and
    /// checked there.
    pub fn parse(bytes: Bytes) -> Result<Self, OnnxError> {
        let model = Model::decode(bytes).map_err(|error| OnnxError::NotOnnx {
            detail: error.to_string(),
        })?;
        let file = Self { model };
        let graph = file.graph()?;
        check_graph(graph, None)?;
        Ok(file)
    }

    /// The names of the files beside this one that hold constants.
    pub fn external_files(&self) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        for tensor in self.model.graph.iter().flat_map(|graph| &graph.initializer) {
            if tensor.data_location == proto::EXTERNAL {
                files.insert(external(tensor, "location").unwrap_or_default().to_owned());
            }
        }
        files
    }

    /// Takes in the constants that lie in other files, so that this file is whole
    /// by itself. `read` gets a name below the file's folder, never one that
    /// climbs out of it.
    pub fn read_external(
        &mut self,
        mut read: impl FnMut(&str) -> Result<Bytes, String>,
    ) -> Result<(), OnnxError> {
        let mut files: BTreeMap<String, Bytes> = BTreeMap::new();
        for name in self.external_files() {
            let is_safe = !name.is_empty()
                && !name.contains(['\\', ':', '\0'])
                && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if !is_safe {
                return Err(OnnxError::ExternalPath { path: name });
            }
            let bytes = read(&name).map_err(|detail| OnnxError::External {
                path: name.clone(),
                detail,
            })?;
            files.insert(name, bytes);
        }
        // Constants that overlap would make a small file a huge one.
        let mut left: usize = files.values().map(Bytes::len).sum();
        let graph = self.model.graph.iter_mut();
        for tensor in graph.flat_map(|graph| &mut graph.initializer) {
            if tensor.data_location != proto::EXTERNAL {
                continue;
            }
            let path = external(tensor, "location").unwrap_or_default();
            let file = files.get(path).cloned().unwrap_or_default();
            let number = |key| match external(tensor, key) {
                None => Some(None),
                Some(text) => text.parse::<usize>().ok().map(Some),
            };
            let range = number("offset")
                .zip(number("length"))
                .map(|(offset, length)| {
                    let start = offset.unwrap_or(0);
                    (
                        start,
                        length.map_or(Some(file.len()), |length| start.checked_add(length)),
                    )
                });
            let (Some((start, Some(end))), path) = (range, path.to_owned()) else {
                return Err(OnnxError::External {
                    path: path.to_owned(),
                    detail: format!("constant `{}` lies at no place in it", tensor.name),
                });
            };
            if start > end || end > file.len() {
                return Err(OnnxError::External {
                    path,
                    detail: format!("it ends before constant `{}` does", tensor.name),
                });
            }
            left = left
                .checked_sub(end - start)
                .ok_or_else(|| OnnxError::External {
                    path: path.clone(),
                    detail: "its constants overlap".to_owned(),
                })?;
            tensor.raw_data = file.slice(start..end);
            tensor.data_location = 0;
            tensor.external_data.clear();
            check_tensor(tensor)?;
        }
        Ok(())
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    /// The entries of the file's metadata.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.model.metadata_props.iter();
        entries.map(|entry| (entry.key.as_str(), entry.value.as_str()))
    }

    /// What images go into: inputs that are no constants.
    pub fn inputs(&self) -> Vec<Endpoint> {
        let Some(graph) = &self.model.graph else {
            return Vec::new();
        };
        let constants: HashSet<&str> = graph
            .initializer
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        let inputs = graph.input.iter();
        inputs
            .filter(|input| !constants.contains(input.name.as_str()))
            .map(endpoint)
            .collect()
    }

    /// What comes out.
    pub fn outputs(&self) -> Vec<Endpoint> {
        let graph = self.model.graph.iter();
        graph
            .flat_map(|graph| &graph.output)
            .map(endpoint)
            .collect()
    }

    pub(super) fn graph(&self) -> Result<&Graph, OnnxError> {
        self.model.graph.as_ref().ok_or_else(|| OnnxError::NotOnnx {
            detail: "it holds no graph".to_owned(),
        })
    }
}

impl std::fmt::Debug for OnnxFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes = self
            .model
            .graph
            .as_ref()
            .map_or(0, |graph| graph.node.len());
        f.debug_struct("OnnxFile")
            .field("producer", &self.model.producer_name)
            .field("nodes", &nodes)
            .finish_non_exhaustive()
    }
}

fn external<'a>(tensor: &'a Tensor, key: &str) -> Option<&'a str> {
    let entry = tensor.external_data.iter().find(|entry| entry.key == key);
    entry.map(|entry| entry.value.as_str())
}

fn endpoint(info: &ValueInfo) -> Endpoint {
    let shape = match info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) {
        Some(TypeValue::Tensor(tensor)) => tensor.shape.as_ref(),
        _ => None,
    };
    let axes = shape.iter().flat_map(|shape| &shape.dim);
    Endpoint {
        name: info.name.clone(),
        shape: axes
            .map(|axis| match &axis.value {
                Some(DimensionValue::Value(length)) => usize::try_from(*length).ok(),
                _ => None,
            })
            .collect(),
    }
}

/// The values that nodes of a graph can see: its own, and those around it.
struct Scope<'a> {
    names: HashSet<&'a str>,
    outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.outer.is_some_and(|outer| outer.has(name))
    }
}

/// Checks a graph, and those inside its nodes.
fn check_graph(graph: &Graph, outer: Option<&Scope<'_>>) -> Result<(), OnnxError> {
    if !graph.sparse_initializer.is_empty() {
        return Err(OnnxError::Sparse);
    }
    let twice = |value: &str| OnnxError::DoubledValue {
        value: value.to_owned(),
    };
    let mut constants = HashSet::new();
    for tensor in &graph.initializer {
        check_tensor(tensor)?;
        if outer.is_some() {
            check_here(tensor)?;
        }
        if !constants.insert(tensor.name.as_str()) {
            return Err(twice(&tensor.name));
        }
    }
    // Old files name their constants among the inputs too.
    let mut scope = Scope {
        names: constants.clone(),
        outer,
    };
    for input in &graph.input {
        if !scope.names.insert(&input.name) && !constants.remove(input.name.as_str()) {
            return Err(twice(&input.name));
        }
    }
    for node in &graph.node {
        // An empty name stands for an input that is left out.
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            if !scope.has(input) {
                return Err(OnnxError::UnknownValue {
                    value: input.clone(),
                    node: node_name(node),
                });
            }
        }
        for attribute in &node.attribute {
            for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
                check_graph(graph, Some(&scope))?;
            }
            for tensor in attribute.t.as_deref().into_iter().chain(&attribute.tensors) {
                check_here(tensor)?;
            }
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if !scope.names.insert(output) {
                return Err(twice(output));
            }
        }
    }
    let outputs = graph.output.iter().map(|output| &output.name);
    match outputs.into_iter().find(|output| !scope.has(output)) {
        None => Ok(()),
        Some(output) => Err(OnnxError::UnknownValue {
            value: output.clone(),
            node: "the list of outputs".to_owned(),
        }),
    }
}

/// What a node is called in messages.
pub(super) fn node_name(node: &Node) -> String {
    if node.name.is_empty() {
        node.op_type.clone()
    } else {
        format!("{} `{}`", node.op_type, node.name)
    }
}

/// The values of a constant, by its shape.
pub(super) fn element_count(tensor: &Tensor) -> Option<usize> {
    tensor.dims.iter().try_fold(1usize, |count, side| {
        count.checked_mul(usize::try_from(*side).ok()?)
    })
}

/// Bits of a value of a type, by `TensorProto.DataType`.
fn bits(data_type: i32) -> Option<usize> {
    Some(match data_type {
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        1 | 6 | 12 => 32,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        21..=23 => 4,
        _ => return None,
    })
}

/// A constant inside a node: its values must be in this file.
fn check_here(tensor: &Tensor) -> Result<(), OnnxError> {
    if tensor.data_location == proto::EXTERNAL {
        return Err(OnnxError::External {
            path: external(tensor, "location").unwrap_or_default().to_owned(),
            detail: "only constants of the graph itself may lie there".to_owned(),
        });
    }
    check_tensor(tensor)
}

/// A constant must have as many values as its shape says.
fn check_tensor(tensor: &Tensor) -> Result<(), OnnxError> {
    const STRING: i32 = 8;
    let wrong = |found: usize| OnnxError::Constant {
        name: tensor.name.clone(),
        shape: tensor.dims.clone(),
        found,
    };
    let Some(count) = element_count(tensor) else {
        return Err(wrong(0));
    };
    if tensor.data_location == proto::EXTERNAL {
        return Ok(());
    }
    if tensor.data_type == STRING {
        let found = tensor.string_data.len();
        return if found == count {
            Ok(())
        } else {
            Err(wrong(found))
        };
    }
    let Some(bits) = bits(tensor.data_type) else {
        return Err(OnnxError::ConstantType {
            name: tensor.name.clone(),
            data_type: tensor.data_type,
        });
    };
    let bytes = count
        .checked_mul(bits)
        .map(|bits| bits.div_ceil(8))
        .ok_or_else(|| wrong(0))?;
    if tensor.raw_data.is_empty() {
        let found = tensor.float_data.len()
            + tensor.int32_data.len()
            + tensor.int64_data.len()
            + tensor.double_data.len()
            + tensor.uint64_data.len();
        // Complex numbers take two fields, two halves of a byte one.
        let expected = match bits {
            4 => count.div_ceil(2),
            _ if matches!(tensor.data_type, 14 | 15) => 2 * count,
            _ => count,
        };
        if found == expected {
            Ok(())
        } else {
            Err(wrong(found))
        }
    } else if tensor.raw_data.len() == bytes {
        Ok(())
    } else {
        Err(wrong(tensor.raw_data.len() * 8 / bits))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::onnx::proto::{Entry, OperatorSet};

    /// A graph that adds a constant of two values, which lies in `path`.
    fn with_external(entries: &[(&str, &str)], constants: usize) -> OnnxFile {
        let value = |name: &str| ValueInfo {
            name: name.to_owned(),
            ..ValueInfo::default()
        };
        let tensor = |at: usize| Tensor {
            name: format!("c{at}"),
            dims: vec![2],
            data_type: proto::FLOAT,
            data_location: proto::EXTERNAL,
            external_data: entries
                .iter()
                .map(|(key, value)| Entry {
                    key: (*key).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
            ..Tensor::default()
        };
        OnnxFile {
            model: Model {
                ir_version: 8,
                opset_import: vec![OperatorSet {
                    domain: String::new(),
                    version: 17,
                }],
                graph: Some(Graph {
                    name: "g".to_owned(),
                    node: vec![Node {
                        input: vec!["x".to_owned(), "c0".to_owned()],
                        output: vec!["y".to_owned()],
                        op_type: "Add".to_owned(),
                        ..Node::default()
                    }],
                    initializer: (0..constants).map(tensor).collect(),
                    input: vec![value("x")],
                    output: vec![value("y")],
                    ..Graph::default()
                }),
                ..Model::default()
            },
        }
    }

    #[test]
    fn constants_come_from_beside_only() {
        let bytes: Vec<u8> = [1.0f32, 2.0, 3.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let read = |entries: &[(&str, &str)], constants: usize| {
            let written = with_external(entries, constants).encode();
            let mut file = OnnxFile::parse(written.into()).unwrap();
            file.read_external(|name| match name {
                "w.bin" | "sub/w.bin" => Ok(bytes.clone().into()),
                _ => Err("it does not exist".to_owned()),
            })
            .map(|()| file)
        };
        let whole = read(
            &[("location", "w.bin"), ("offset", "4"), ("length", "8")],
            1,
        )
        .unwrap();
        let constant = &whole.model.graph.as_ref().unwrap().initializer[0];
        assert_eq!(&constant.raw_data[..4], &2.0f32.to_le_bytes());
        assert_eq!(constant.data_location, 0);
        assert!(whole.external_files().is_empty());
        assert!(read(&[("location", "sub/w.bin"), ("length", "8")], 1).is_ok());
        for path in [
            "../w.bin",
            "/etc/passwd",
            "a/../../w.bin",
            "",
            "./w.bin",
            "C:w",
            "a\\b",
        ] {
            let refused = read(&[("location", path), ("length", "8")], 1);
            assert!(
                matches!(refused, Err(OnnxError::ExternalPath { .. })),
                "{path}"
            );
        }
        for entries in [
            &[("location", "gone.bin")][..],
            // Behind the end, or of another length than the shape says.
            &[("location", "w.bin"), ("offset", "8"), ("length", "8")],
            &[
                ("location", "w.bin"),
                ("offset", "18446744073709551615"),
                ("length", "8"),
            ],
            &[("location", "w.bin"), ("offset", "-1"), ("length", "8")],
            &[("location", "w.bin")],
        ] {
            assert!(read(entries, 1).is_err(), "{entries:?}");
        }
        // Two constants of eight bytes each in twelve bytes.
        let overlapping = read(&[("location", "w.bin"), ("length", "8")], 2);
        assert!(matches!(overlapping, Err(OnnxError::External { .. })));
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let whole = || {
            let mut file = with_external(&[("location", "w")], 1);
            let graph = file.model.graph.as_mut().unwrap();
            graph.initializer[0].data_location = 0;
            graph.initializer[0].raw_data = vec![0; 8].into();
            file
        };
        let refused = |change: &dyn Fn(&mut Graph)| {
            let mut file = whole();
            change(file.model.graph.as_mut().unwrap());
            OnnxFile::parse(file.encode().into()).unwrap_err()
        };
        assert!(OnnxFile::parse(whole().encode().into()).is_ok());
        let huge = refused(&|graph| graph.initializer[0].dims = vec![i64::MAX, i64::MAX]);
        assert!(matches!(huge, OnnxError::Constant { .. }));
        let negative = refused(&|graph| graph.initializer[0].dims = vec![-2]);
        assert!(matches!(negative, OnnxError::Constant { .. }));
        let unknown = refused(&|graph| graph.initializer[0].data_type = 99);
        assert!(matches!(unknown, OnnxError::ConstantType { .. }));
        let circle = refused(&|graph| graph.node[0].input[0] = "y".to_owned());
        assert!(matches!(circle, OnnxError::UnknownValue { .. }));
        let doubled = refused(&|graph| graph.initializer.push(graph.initializer[0].clone()));
        assert!(matches!(doubled, OnnxError::DoubledValue { .. }));
        let remade = refused(&|graph| graph.node[0].output[0] = "x".to_owned());
        assert!(matches!(remade, OnnxError::DoubledValue { .. }));
        let sparse = refused(&|graph| graph.sparse_initializer.push(Bytes::new()));
        assert!(matches!(sparse, OnnxError::Sparse));
        // Old files name their constants among the inputs too.
        let mut old = whole();
        let graph = old.model.graph.as_mut().unwrap();
        graph.input.push(ValueInfo {
            name: "c0".to_owned(),
            ..ValueInfo::default()
        });
        assert_eq!(
            OnnxFile::parse(old.encode().into()).unwrap().inputs().len(),
            1
        );
    }
}
