//! Inferred shapes are those of the engine; graphs that would fill the memory are
//! refused before it sees them.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rten_tensor::Layout as _;

use super::OnnxFile;
use crate::backbone::Backbone;
use crate::card::{BackboneCard, Layout};
use crate::error::{BackboneError, OnnxError};
use crate::onnx::proto::{
    self, Attribute, Dimension, DimensionValue, Entry, Graph, Model, Node, OperatorSet, Shape,
    Tensor, TensorType, Type, TypeValue, ValueInfo, attribute_type,
};
use crate::{Architecture, Weights};

const TINY: &[u8] = include_bytes!("../../../tests/data/tiny.onnx");

fn node(operator: &str, input: &[&str], output: &[&str], attribute: Vec<Attribute>) -> Node {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Node {
        input: owned(input),
        output: owned(output),
        op_type: operator.to_owned(),
        attribute,
        ..Node::default()
    }
}

fn int(name: &str, i: i64) -> Attribute {
    Attribute {
        name: name.to_owned(),
        i,
        r#type: attribute_type::INT,
        ..Attribute::default()
    }
}

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute {
        name: name.to_owned(),
        ints: ints.to_vec(),
        r#type: attribute_type::INTS,
        ..Attribute::default()
    }
}

fn text(name: &str, text: &'static str) -> Attribute {
    const STRING: i32 = 3;
    Attribute {
        name: name.to_owned(),
        s: text.into(),
        r#type: STRING,
        ..Attribute::default()
    }
}

fn whole(name: &str, dims: &[i64], numbers: &[i64]) -> Tensor {
    const INT64: i32 = 7;
    Tensor {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: INT64,
        int64_data: numbers.to_vec(),
        ..Tensor::default()
    }
}

fn real(name: &str, dims: &[i64], numbers: &[f32]) -> Tensor {
    Tensor {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: proto::FLOAT,
        float_data: numbers.to_vec(),
        ..Tensor::default()
    }
}

fn zeros(name: &str, dims: &[i64]) -> Tensor {
    let count = usize::try_from(dims.iter().product::<i64>()).unwrap();
    real(name, dims, &vec![0.0; count])
}

fn value(name: &str, sides: &[Option<i64>]) -> ValueInfo {
    let dim = sides.iter().map(|side| Dimension {
        value: side.map(DimensionValue::Value),
        denotation: String::new(),
    });
    ValueInfo {
        name: name.to_owned(),
        r#type: Some(Type {
            value: Some(TypeValue::Tensor(TensorType {
                elem_type: proto::FLOAT,
                shape: Some(Shape { dim: dim.collect() }),
            })),
            denotation: String::new(),
        }),
        ..ValueInfo::default()
    }
}

/// A backbone of images `x` of 8 × 8 pixels; the last node makes the features.
fn file(node: Vec<Node>, initializer: Vec<Tensor>) -> OnnxFile {
    let tiny = OnnxFile::parse(TINY.into()).unwrap();
    let features = node.last().and_then(|node| node.output.first()).unwrap();
    let card = BackboneCard {
        input: "x".to_owned(),
        height: 8,
        width: 8,
        layout: Layout::ChannelsFirst,
        feature_output: features.clone(),
        feature_dimension: 1,
        logits_output: None,
        class_count: None,
        classes: None,
        class_names: None,
        self_test: None,
        ..BackboneCard::from_metadata(tiny.metadata()).unwrap()
    };
    let entries = card.entries().into_iter();
    let model = Model {
        ir_version: 8,
        opset_import: vec![OperatorSet {
            domain: String::new(),
            version: 17,
        }],
        graph: Some(Graph {
            name: "g".to_owned(),
            output: vec![value(features, &[None, None])],
            node,
            initializer,
            input: vec![value("x", &[None, Some(3), Some(8), Some(8)])],
            ..Graph::default()
        }),
        metadata_props: entries.map(|(key, value)| Entry { key, value }).collect(),
        ..Model::default()
    };
    OnnxFile { model }
}

/// Small files that ask for much: what they are called, nodes, constants.
fn hostile() -> Vec<(&'static str, Vec<Node>, Vec<Tensor>)> {
    const MUCH: i64 = 1_000_000_000;
    let one = |operator: &str, input: &[&str], attributes: Vec<Attribute>| {
        vec![node(operator, input, &["y"], attributes)]
    };
    let mut doubled = vec![node("Concat", &["x", "x"], &["v0"], vec![int("axis", 0)])];
    for at in 0..40 {
        let (from, to) = (format!("v{at}"), format!("v{}", at + 1));
        doubled.push(node(
            "Concat",
            &[&from, &from],
            &[&to],
            vec![int("axis", 0)],
        ));
    }
    let mut kept: Vec<Node> = (0..64)
        .map(|at| node("Expand", &["x", "s"], &[&format!("k{at}")], Vec::new()))
        .collect();
    let names: Vec<String> = (0..64).map(|at| format!("k{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    kept.push(node("Sum", &names, &["y"], Vec::new()));
    let folded = (0..64)
        .map(|at| node("ConstantOfShape", &["s"], &[&format!("f{at}")], Vec::new()))
        .chain([node("Relu", &["x"], &["y"], Vec::new())])
        .collect();
    let body = Graph {
        name: "body".to_owned(),
        ..Graph::default()
    };
    let inner = Attribute {
        name: "body".to_owned(),
        g: Some(Box::new(body)),
        r#type: 5,
        ..Attribute::default()
    };
    let square = |side: i64| vec![int("group", 1), ints("pads", &[side; 4])];
    let grown = |pads: &[i64]| whole("s", &[8], pads);
    vec![
        (
            "constant_of_shape",
            one("ConstantOfShape", &["s"], vec![]),
            vec![whole("s", &[2], &[MUCH, 1000])],
        ),
        (
            "constant_of_long_shape",
            one("ConstantOfShape", &["s"], vec![]),
            vec![whole("s", &[100], &[2; 100])],
        ),
        (
            "tile",
            one("Tile", &["x", "s"], vec![]),
            vec![whole("s", &[4], &[MUCH, 9, 9, 9])],
        ),
        (
            "tile_overflows",
            one("Tile", &["x", "s"], vec![]),
            vec![whole("s", &[4], &[i64::MAX; 4])],
        ),
        (
            "expand",
            one("Expand", &["x", "s"], vec![]),
            vec![whole("s", &[4], &[MUCH, 3, 8, 8])],
        ),
        (
            "pad",
            one("Pad", &["x", "s"], vec![]),
            vec![grown(&[0, 0, 0, 0, 0, 0, MUCH, MUCH])],
        ),
        (
            "pad_negative",
            one("Pad", &["x", "s"], vec![]),
            vec![grown(&[0, 0, 0, 0, 0, 0, -9, 0])],
        ),
        (
            "resize",
            one("Resize", &["x", "", "s"], vec![]),
            vec![real("s", &[4], &[1.0, 1.0, 1e6, 1e6])],
        ),
        (
            "resize_not_a_number",
            one("Resize", &["x", "", "s"], vec![]),
            vec![real("s", &[4], &[1.0, 1.0, f32::NAN, 1.0])],
        ),
        (
            "resize_to",
            one("Resize", &["x", "", "", "s"], vec![]),
            vec![whole("s", &[4], &[1, 3, MUCH, MUCH])],
        ),
        (
            "upsample",
            one("Upsample", &["x", "s"], vec![]),
            vec![real("s", &[4], &[1.0, 1.0, 1e6, 1e6])],
        ),
        (
            "range",
            one("Range", &["a", "b", "c"], vec![]),
            vec![
                whole("a", &[], &[0]),
                whole("b", &[], &[2 * MUCH]),
                whole("c", &[], &[1]),
            ],
        ),
        (
            "range_of_fractions",
            one("Range", &["a", "b", "c"], vec![]),
            vec![
                real("a", &[], &[0.0]),
                real("b", &[], &[1.0]),
                real("c", &[], &[1e-30]),
            ],
        ),
        (
            "range_without_step",
            one("Range", &["a", "b", "c"], vec![]),
            vec![
                whole("a", &[], &[0]),
                whole("b", &[], &[9]),
                whole("c", &[], &[0]),
            ],
        ),
        (
            "broadcast",
            vec![
                node("ConstantOfShape", &["s"], &["a"], vec![]),
                node("ConstantOfShape", &["t"], &["b"], vec![]),
                node("Add", &["a", "b"], &["y"], vec![]),
            ],
            vec![
                whole("s", &[2], &[100_000, 1]),
                whole("t", &[2], &[1, 100_000]),
            ],
        ),
        (
            "product",
            vec![
                node("ConstantOfShape", &["s"], &["a"], vec![]),
                node("ConstantOfShape", &["t"], &["b"], vec![]),
                node("MatMul", &["a", "b"], &["y"], vec![]),
            ],
            vec![
                whole("s", &[2], &[100_000, 1]),
                whole("t", &[2], &[1, 100_000]),
            ],
        ),
        (
            "folded_product",
            vec![
                node("ConstantOfShape", &["s"], &["a"], vec![]),
                node("MatMul", &["a", "a"], &["b"], vec![]),
                node("Relu", &["x"], &["y"], vec![]),
            ],
            vec![whole("s", &[2], &[4096, 4096])],
        ),
        (
            "pool_of_large_windows",
            vec![
                node("Expand", &["x", "s"], &["a"], vec![]),
                node(
                    "MaxPool",
                    &["a"],
                    &["y"],
                    vec![
                        ints("kernel_shape", &[1, 4000]),
                        ints("pads", &[0, 3999, 0, 3999]),
                    ],
                ),
            ],
            vec![whole("s", &[4], &[1000, 3, 8, 8])],
        ),
        (
            "einsum",
            vec![
                node("ConstantOfShape", &["s"], &["a"], vec![]),
                node(
                    "Einsum",
                    &["a", "a"],
                    &["y"],
                    vec![text("equation", "a,b->ab")],
                ),
            ],
            vec![whole("s", &[1], &[100_000])],
        ),
        (
            "einsum_of_four",
            one(
                "Einsum",
                &["x", "x", "x"],
                vec![text("equation", "abcd,efgh,ijkl->a")],
            ),
            vec![],
        ),
        (
            "convolution",
            one("Conv", &["x", "w"], square(MUCH)),
            vec![zeros("w", &[1, 3, 1, 1])],
        ),
        (
            "convolution_overflows",
            one("Conv", &["x", "w"], square(i64::MAX)),
            vec![zeros("w", &[1, 3, 1, 1])],
        ),
        (
            "convolution_stands",
            one("Conv", &["x", "w"], vec![ints("strides", &[0, 0])]),
            vec![zeros("w", &[1, 3, 1, 1])],
        ),
        (
            "convolution_turned",
            one(
                "ConvTranspose",
                &["x", "w"],
                vec![ints("strides", &[1_000_000, 1_000_000])],
            ),
            vec![zeros("w", &[3, 1, 1, 1])],
        ),
        (
            "convolution_cut_away",
            vec![
                node("Expand", &["x", "s"], &["a"], vec![]),
                node(
                    "ConvTranspose",
                    &["a", "w"],
                    &["y"],
                    vec![ints("pads", &[16; 4])],
                ),
            ],
            vec![whole("s", &[4], &[1, 1, 1, 1]), zeros("w", &[3, 1, 1, 1])],
        ),
        (
            "pool",
            one(
                "MaxPool",
                &["x"],
                vec![
                    ints("kernel_shape", &[MUCH, MUCH]),
                    ints("pads", &[MUCH; 4]),
                ],
            ),
            vec![],
        ),
        (
            "pool_without_window",
            one("AveragePool", &["x"], vec![ints("kernel_shape", &[0, 0])]),
            vec![],
        ),
        (
            "one_hot",
            vec![
                node("Cast", &["x"], &["i"], vec![int("to", 7)]),
                node("OneHot", &["i", "d", "v"], &["y"], vec![]),
            ],
            vec![whole("d", &[], &[MUCH]), real("v", &[2], &[0.0, 1.0])],
        ),
        (
            "gather",
            vec![
                node("Range", &["a", "b", "c"], &["i"], vec![]),
                node("Gather", &["x", "i"], &["z"], vec![int("axis", 2)]),
                node("Gather", &["z", "i"], &["y"], vec![int("axis", 3)]),
            ],
            vec![
                whole("a", &[], &[0]),
                whole("b", &[], &[100_000]),
                whole("c", &[], &[1]),
            ],
        ),
        (
            "depth",
            one("DepthToSpace", &["x"], vec![int("blocksize", i64::MAX)]),
            vec![],
        ),
        (
            "top",
            one("TopK", &["x", "s"], vec![]),
            vec![whole("s", &[1], &[MUCH])],
        ),
        ("non_zero", one("NonZero", &["x"], vec![]), vec![]),
        (
            "data",
            vec![
                node("Cast", &["x"], &["i"], vec![int("to", 7)]),
                node("Reshape", &["i", "m"], &["s"], vec![]),
                node("ConstantOfShape", &["s"], &["y"], vec![]),
            ],
            vec![whole("m", &[1], &[-1])],
        ),
        (
            "loop",
            one("Loop", &["n", "", "x"], vec![inner]),
            vec![whole("n", &[], &[MUCH])],
        ),
        ("sequence", one("SplitToSequence", &["x"], vec![]), vec![]),
        ("unknown", one("Explode", &["x"], vec![]), vec![]),
        (
            "setting_twice",
            one("Flatten", &["x"], vec![int("axis", 1), int("axis", 2)]),
            vec![],
        ),
        (
            "recurrent",
            vec![
                node("ConstantOfShape", &["s"], &["a"], vec![]),
                node(
                    "LSTM",
                    &["a", "w", "r"],
                    &["y"],
                    vec![int("hidden_size", 4000)],
                ),
            ],
            vec![
                whole("s", &[3], &[1_000_000, 1, 1]),
                zeros("w", &[1, 8, 1]),
                zeros("r", &[1, 8, 400]),
            ],
        ),
        ("doubled", doubled, vec![]),
        ("kept", kept, vec![whole("s", &[4], &[100_000, 3, 8, 8])]),
        ("folded", folded, vec![whole("s", &[1], &[10_000_000])]),
    ]
}

#[test]
fn hostile_graphs_are_refused() {
    for (name, nodes, constants) in hostile() {
        let bytes = file(nodes, constants).encode();
        assert!(bytes.len() < 16_384, "{name}");
        let start = Instant::now();
        let refused = Backbone::from_onnx(bytes);
        assert!(start.elapsed() < Duration::from_secs(1), "{name}");
        assert!(
            matches!(
                refused,
                Err(BackboneError::Graph(
                    OnnxError::UnknownShape { .. }
                        | OnnxError::TooLarge { .. }
                        | OnnxError::TooMuch { .. }
                        | OnnxError::TooMuchWork { .. }
                ))
            ),
            "{name}: {refused:?}"
        );
    }
}

/// Compares the shape of every value with that which rten finds on zeros.
fn agrees(file: &OnnxFile) -> usize {
    let shapes = file.infer(1).unwrap();
    let mut options = rten::ModelOptions::with_all_ops();
    options.enable_optimization(false);
    let model = options.load(file.encode()).unwrap();
    let input = file.inputs().remove(0);
    let sides: Vec<usize> = input.shape.iter().map(|side| side.unwrap_or(1)).collect();
    let zeros = rten_tensor::Tensor::<f32>::zeros(&sides);
    let graph = file.graph().unwrap();
    let names: Vec<&str> = graph
        .node
        .iter()
        .flat_map(|node| &node.output)
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    let ids: Vec<_> = names
        .iter()
        .map(|name| model.node_id(name).unwrap())
        .collect();
    let inputs = vec![(model.node_id(&input.name).unwrap(), zeros.into())];
    let found = model.run(inputs, &ids, None).unwrap();
    for (name, found) in names.iter().zip(&found) {
        assert_eq!(shapes.shape(name), Some(found.shape().as_slice()), "{name}");
    }
    names.len()
}

#[test]
fn shapes_are_those_of_the_engine() {
    assert!(agrees(&OnnxFile::parse(TINY.into()).unwrap()) > 3);
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/backbones"
    ));
    let Ok(files) = std::fs::read_dir(folder) else {
        eprintln!("SKIPPED: no {}", folder.display());
        return;
    };
    let paths = files.map(|file| file.unwrap().path());
    let mut compared = 0;
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "onnx")) {
        let file = OnnxFile::parse(std::fs::read(&path).unwrap().into()).unwrap();
        assert!(agrees(&file) > 50, "{}", path.display());
        compared += 1;
    }
    assert!(compared >= 5);
}

/// What exporters write for a view, a padding, an enlargement and a cut whose sizes
/// come from the image's own.
fn worked_out() -> OnnxFile {
    let nodes = vec![
        node("Shape", &["x"], &["shape"], vec![]),
        node(
            "Gather",
            &["shape", "zero"],
            &["images"],
            vec![int("axis", 0)],
        ),
        node("Unsqueeze", &["images", "axis0"], &["row"], vec![]),
        node("Concat", &["row", "rest"], &["view"], vec![int("axis", 0)]),
        node("Reshape", &["x", "view"], &["flat"], vec![]),
        // F.pad: pairs from the last axis on, turned to all starts, then all ends.
        node(
            "ConstantOfShape",
            &["four"],
            &["none"],
            vec![Attribute {
                name: "value".to_owned(),
                t: Some(Box::new(whole("", &[1], &[0]))),
                r#type: 4,
                ..Attribute::default()
            }],
        ),
        node(
            "Concat",
            &["pairs", "none"],
            &["padding"],
            vec![int("axis", 0)],
        ),
        node("Reshape", &["padding", "by_two"], &["rows"], vec![]),
        node(
            "Slice",
            &["rows", "last", "least", "axis0", "back"],
            &["turned"],
            vec![],
        ),
        node(
            "Transpose",
            &["turned"],
            &["ends"],
            vec![ints("perm", &[1, 0])],
        ),
        node("Reshape", &["ends", "open"], &["pads"], vec![]),
        node("Cast", &["pads"], &["whole_pads"], vec![int("to", 7)]),
        node(
            "Pad",
            &["x", "whole_pads"],
            &["padded"],
            vec![text("mode", "constant")],
        ),
        // interpolate(scale_factor=1.5)
        node(
            "Slice",
            &["shape", "two", "four", "axis0"],
            &["sides"],
            vec![],
        ),
        node("Cast", &["sides"], &["real_sides"], vec![int("to", 1)]),
        node("Mul", &["real_sides", "factor"], &["more"], vec![]),
        node("Floor", &["more"], &["floor"], vec![]),
        node("Cast", &["floor"], &["whole_sides"], vec![int("to", 7)]),
        node(
            "Slice",
            &["shape", "axis0", "two", "axis0"],
            &["front"],
            vec![],
        ),
        node(
            "Concat",
            &["front", "whole_sides"],
            &["target"],
            vec![int("axis", 0)],
        ),
        node(
            "Resize",
            &["x", "", "", "target"],
            &["larger"],
            vec![text("mode", "nearest")],
        ),
        node(
            "Resize",
            &["x", "", "factors"],
            &["again"],
            vec![text("mode", "nearest")],
        ),
        node(
            "Split",
            &["larger", "parts"],
            &["left", "right"],
            vec![int("axis", 3)],
        ),
        node(
            "Slice",
            &["right", "last", "first", "third", "back"],
            &["mirrored"],
            vec![],
        ),
        node(
            "MaxPool",
            &["padded"],
            &["pooled"],
            vec![
                ints("kernel_shape", &[3, 3]),
                ints("strides", &[2, 2]),
                int("ceil_mode", 1),
            ],
        ),
        node(
            "ConvTranspose",
            &["x", "w"],
            &["turned_up"],
            vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2])],
        ),
        node(
            "ReduceMean",
            &["pooled"],
            &["means"],
            vec![ints("axes", &[2, 3]), int("keepdims", 0)],
        ),
        node(
            "Einsum",
            &["means", "means"],
            &["outer"],
            vec![text("equation", "ij,ik->ijk")],
        ),
        node("Flatten", &["outer"], &["y"], vec![]),
    ];
    let constants = vec![
        whole("zero", &[], &[0]),
        whole("axis0", &[1], &[0]),
        whole("two", &[1], &[2]),
        whole("third", &[1], &[3]),
        whole("four", &[1], &[4]),
        whole("rest", &[1], &[-1]),
        whole("pairs", &[4], &[1, 2, 3, 4]),
        whole("by_two", &[2], &[-1, 2]),
        whole("open", &[1], &[-1]),
        whole("last", &[1], &[-1]),
        whole("first", &[1], &[0]),
        whole("least", &[1], &[i64::MIN + 1]),
        whole("back", &[1], &[-1]),
        whole("parts", &[2], &[5, 7]),
        real("factor", &[], &[1.5]),
        real("factors", &[4], &[1.0, 1.0, 2.6, 0.3]),
        zeros("w", &[3, 2, 3, 3]),
    ];
    file(nodes, constants)
}

#[test]
fn sizes_may_be_worked_out_on_the_way() {
    let file = worked_out();
    let shapes = file.infer(5).unwrap();
    assert_eq!(shapes.shape("flat"), Some(&[5, 192][..]));
    assert_eq!(shapes.shape("padded"), Some(&[5, 3, 15, 11][..]));
    assert_eq!(shapes.shape("larger"), Some(&[5, 3, 12, 12][..]));
    assert_eq!(shapes.shape("mirrored"), Some(&[5, 3, 12, 6][..]));
    assert!(agrees(&file) > 20);
}

/// Growth of a process by three runs, with `examples/memory.rs` on x86-64 (rten
/// 0.27): the estimate lies above, and below twice that.
#[test]
fn estimates_of_memory_are_above_what_was_measured() {
    for (architecture, measured) in [
        (Architecture::InceptionV3, 15_500_000),
        (Architecture::Xception, 38_300_000),
        (Architecture::ResNet50, 13_100_000),
    ] {
        let (file, _) = architecture.build(&Weights::random(1), "", "1").unwrap();
        let backbone = Backbone::from_onnx(file.encode()).unwrap();
        let estimate = backbone.session().unwrap().memory_bytes();
        assert!(estimate > measured, "{architecture}: {estimate}");
        assert!(estimate < 2 * measured, "{architecture}: {estimate}");
        // Values grow with the batch, each of them.
        let one = file.activation_bytes(1).unwrap();
        let many = file.activation_bytes(8).unwrap();
        assert!(many > 7 * one && many <= 8 * one + 1024, "{one} {many}");
    }
}

/// A network of two layers, that runs.
fn small() -> OnnxFile {
    let nodes = vec![
        node(
            "Conv",
            &["x", "w", "b"],
            &["maps"],
            vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1; 4])],
        ),
        node("Relu", &["maps"], &["active"], vec![]),
        node("GlobalAveragePool", &["active"], &["pooled"], vec![]),
        node("Flatten", &["pooled"], &["vector"], vec![]),
        node(
            "Gemm",
            &["vector", "m", "n"],
            &["y"],
            vec![int("transB", 1)],
        ),
    ];
    let constants = vec![
        zeros("w", &[2, 3, 3, 3]),
        zeros("b", &[2]),
        zeros("m", &[1, 2]),
        zeros("n", &[1]),
    ];
    file(nodes, constants)
}

#[test]
fn a_small_network_runs() {
    let backbone = Backbone::from_onnx(small().encode()).unwrap();
    let features = backbone.session().unwrap().features(&[1.0; 192]).unwrap();
    assert_eq!(features.len(), 1);
}

/// Writes the seeds of `fuzz/`:
/// `cargo test -p sparkles-vision --lib seeds -- --ignored`.
#[test]
#[ignore = "writes files"]
fn seeds() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"));
    let write = |target: &str, name: &str, bytes: &[u8]| {
        if bytes.len() <= 4096 {
            std::fs::write(corpus.join(target).join(name), bytes).unwrap();
        }
    };
    for target in ["onnx", "safetensors"] {
        std::fs::create_dir_all(corpus.join(target)).unwrap();
    }
    write("onnx", "small", &small().encode());
    write("onnx", "worked_out", &worked_out().encode());
    for (name, nodes, constants) in hostile() {
        write("onnx", name, &file(nodes, constants).encode());
    }
    let half = vec![0u8; 2 * 64 * 3 * 9];
    let tensor = |kind, shape: Vec<usize>, bytes: usize| {
        let bytes = half.get(..bytes).unwrap();
        safetensors::tensor::TensorView::new(kind, shape, bytes).unwrap()
    };
    let save = |tensors: Vec<(&str, _)>| safetensors::serialize(tensors, None).unwrap();
    let f16 = safetensors::Dtype::F16;
    let vgg = save(vec![(
        "features.0.weight",
        tensor(f16, vec![64, 3, 3, 3], 3456),
    )]);
    write("safetensors", "vgg", &vgg);
    let mut inception = vec![(
        "Conv2d_1a_3x3.conv.weight",
        tensor(f16, vec![32, 3, 3, 3], 1728),
    )];
    for name in [
        "Conv2d_1a_3x3.bn.weight",
        "Conv2d_1a_3x3.bn.bias",
        "Conv2d_1a_3x3.bn.running_mean",
        "Conv2d_1a_3x3.bn.running_var",
    ] {
        inception.push((name, tensor(f16, vec![32], 64)));
    }
    write("safetensors", "inception", &save(inception));
    for (name, kind) in [
        ("f32", safetensors::Dtype::F32),
        ("i32", safetensors::Dtype::I32),
    ] {
        write(
            "safetensors",
            name,
            &save(vec![("a", tensor(kind, vec![2, 3], 24))]),
        );
    }
    write("safetensors", "empty", &save(Vec::new()));
    let mut lie = u64::MAX.to_le_bytes().to_vec();
    lie.extend(b"{}");
    write("safetensors", "long_header", &lie);
}

const OPERATORS: [&str; 38] = [
    "Add",
    "ArgMax",
    "AveragePool",
    "Cast",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Div",
    "Einsum",
    "Expand",
    "Flatten",
    "Gather",
    "GatherND",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LSTM",
    "MatMul",
    "MaxPool",
    "Mod",
    "Mul",
    "OneHot",
    "Pad",
    "Range",
    "ReduceMean",
    "Reshape",
    "Resize",
    "Shape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
];

const SETTINGS: [&str; 16] = [
    "axis",
    "axes",
    "pads",
    "strides",
    "dilations",
    "kernel_shape",
    "perm",
    "group",
    "blocksize",
    "keepdims",
    "ceil_mode",
    "split",
    "to",
    "batch_dims",
    "k",
    "output_padding",
];

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -4i64..12,
        1 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 62]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever operators stand behind each other: shapes or an error, no panic.
    #[test]
    fn no_graph_panics(
        steps in prop::collection::vec((
            prop::sample::select(OPERATORS.to_vec()),
            prop::collection::vec(0usize..9, 0..4),
            prop::collection::vec((
                prop::sample::select(SETTINGS.to_vec()),
                prop::collection::vec(number(), 0..5),
            ), 0..4),
        ), 1..8),
        first in prop::collection::vec(number(), 0..6),
        second in prop::collection::vec(-3i64..6, 1..5),
        batch in 0usize..3,
    ) {
        let length = |numbers: &[i64]| i64::try_from(numbers.len()).unwrap();
        let constants = vec![
            whole("c0", &[length(&first)], &first),
            whole("c1", &[length(&second)], &second),
            zeros("c2", &[2, 3, 3, 3]),
        ];
        let mut names: Vec<String> = ["x", "c0", "c1", "c2"].map(str::to_owned).to_vec();
        let mut nodes = Vec::new();
        for (at, (operator, inputs, settings)) in steps.into_iter().enumerate() {
            let inputs: Vec<&str> = inputs
                .iter()
                .map(|input| names[input % names.len()].as_str())
                .collect();
            let mut seen = HashSet::new();
            let settings = settings
                .into_iter()
                .filter(|(name, _)| seen.insert(*name))
                .map(|(name, numbers)| Attribute {
                    i: numbers.first().copied().unwrap_or(0),
                    ..ints(name, &numbers)
                });
            let output = format!("n{at}");
            nodes.push(node(operator, &inputs, &[&output], settings.collect()));
            names.push(output);
        }
        let file = file(nodes, constants);
        if let Ok(shapes) = file.infer(batch) {
            for node in &file.graph().unwrap().node {
                prop_assert!(shapes.shape(&node.output[0]).is_some());
            }
            let _ = file.activation_bytes(batch);
        }
        let _ = file.check("x", &[1, 3, 8, 8]);
    }
}
