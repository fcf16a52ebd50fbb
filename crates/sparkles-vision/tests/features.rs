//! Backbones: their self-test vectors, and that features are repeatable.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::Cursor;
use std::path::PathBuf;

use sparkles_vision::{AlphaPolicy, Backbone, BackboneError, CardError, Featurizer, read_header};

const TINY: &[u8] = include_bytes!("data/tiny.onnx");
const TINY_WITHOUT_CARD: &[u8] = include_bytes!("data/tiny_without_card.onnx");

/// A file of the shared data, or `None`, said loudly.
fn shared(path: &str) -> Option<Vec<u8>> {
    let whole: PathBuf = [
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"),
        path,
    ]
    .iter()
    .collect();
    let bytes = std::fs::read(&whole).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no {}", whole.display());
    }
    bytes
}

/// The synthetic input of the self-test vectors: `float32(0.9 * sin(0.11 x +
/// 0.7 c) * cos(0.07 y - 0.3 c))`, in radians, already normalised.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the formula ends in 32 bits"
)]
fn synthetic(side: u32) -> Vec<f32> {
    let mut tensor = Vec::new();
    for c in (0..3).map(f64::from) {
        for y in (0..side).map(f64::from) {
            for x in (0..side).map(f64::from) {
                let value = 0.9 * (0.11 * x + 0.7 * c).sin() * (0.07 * y - 0.3 * c).cos();
                tensor.push(value as f32);
            }
        }
    }
    tensor
}

/// A 3 x 2 bitmap of the given blue, green, red bytes.
fn bitmap(pixels: [[u8; 3]; 6]) -> Vec<u8> {
    let mut bytes =
        b"BM\x4e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x03\0\0\0\x02\0\0\0\x01\0\x18\0".to_vec();
    bytes.extend([0; 24]);
    for row in pixels.chunks(3) {
        bytes.extend(row.as_flattened());
        bytes.extend([0; 3]);
    }
    bytes
}

#[test]
fn self_test_vectors() {
    for name in [
        "efficientnet_lite0",
        "efficientnet_lite0_f16",
        "efficientnet_lite0_int8",
        "efficientnet_lite2",
        "mobilenet_v2_1.0_224_uint8",
    ] {
        let (Some(onnx), Some(check)) = (
            shared(&format!("backbones/{name}.onnx")),
            shared(&format!("backbones/{name}_check.json")),
        ) else {
            continue;
        };
        let backbone = Backbone::from_onnx(onnx).unwrap();
        check_vector(name, &backbone, &check);
    }
    // The embedded one is the shared f16 file, byte for byte.
    if let Some(check) = shared("backbones/efficientnet_lite0_f16_check.json") {
        let backbone = Backbone::from_onnx(sparkles_lite0::ONNX).unwrap();
        check_vector("embedded", &backbone, &check);
    }
}

fn check_vector(name: &str, backbone: &Backbone, check: &[u8]) {
    let check: serde_json::Value = serde_json::from_slice(check).unwrap();
    let tensor = synthetic(backbone.card().width);
    let mut session = backbone.session().unwrap();
    let features = session.features(&tensor).unwrap();
    assert_eq!(features.len(), backbone.dimension(), "{name}");
    let expected = check["features_first_16"].as_array().unwrap();
    for (found, expected) in features.iter().zip(expected) {
        let expected = expected.as_f64().unwrap();
        assert!(
            (f64::from(*found) - expected).abs() < 1e-4 * expected.abs().max(1.0),
            "{name}: {found} instead of {expected}"
        );
    }
    let norm = features
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt();
    let expected = check["features_l2_norm"].as_f64().unwrap();
    assert!(
        (norm / expected - 1.0).abs() < 1e-5,
        "{name}: {norm} instead of {expected}"
    );
    let logits = session.logits(&tensor).unwrap();
    let largest = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    assert_eq!(
        largest.map(|index| index as u64),
        check["logits_largest_index"].as_u64(),
        "{name}"
    );
}

#[test]
fn a_backbone_without_a_card_says_so() {
    let error = Backbone::from_onnx(TINY_WITHOUT_CARD).unwrap_err();
    assert!(
        matches!(error, BackboneError::Card(CardError::NoCard)),
        "{error}"
    );
    assert!(matches!(
        Backbone::from_onnx(b"not an onnx file at all".to_vec()).unwrap_err(),
        BackboneError::NotOnnx { .. }
    ));
    assert!(Backbone::from_onnx(Vec::new()).is_err());
}

#[test]
fn a_card_must_name_what_the_graph_has() {
    // The name occurs in the graph and in the card; another in its place in the
    // card alone, of the same length.
    let mut bytes = TINY.to_vec();
    let key = b"sparkles.feature_output";
    let at = bytes
        .windows(key.len())
        .position(|window| window == key)
        .unwrap();
    let value = bytes[at..]
        .windows(8)
        .position(|window| window == b"features")
        .unwrap();
    bytes[at + value..at + value + 8].copy_from_slice(b"featurez");
    assert_eq!(
        Backbone::from_onnx(bytes).unwrap_err().to_string(),
        "the card names output `featurez`, the graph has `features`, `logits`"
    );
}

#[test]
fn feature_keys_tell_what_changes_values() {
    let tiny = Backbone::from_onnx(TINY).unwrap();
    let again = Backbone::from_onnx(TINY.to_vec()).unwrap();
    let drop = tiny.feature_key(AlphaPolicy::Drop);
    assert_eq!(drop.len(), 64);
    assert_eq!(drop, again.feature_key(AlphaPolicy::Drop));
    assert_ne!(drop, tiny.feature_key(AlphaPolicy::White));
    let lite0 = Backbone::from_onnx(sparkles_lite0::ONNX).unwrap();
    assert_ne!(drop, lite0.feature_key(AlphaPolicy::Drop));
}

#[test]
fn the_same_bits_in_any_order_and_session() {
    let photos = [
        bitmap([[0; 3]; 6]),
        bitmap([
            [255; 3],
            [0; 3],
            [9, 99, 199],
            [1, 2, 3],
            [200, 100, 0],
            [30; 3],
        ]),
        bitmap([
            [30, 60, 90],
            [255, 0, 0],
            [0, 255, 0],
            [0, 0, 255],
            [7; 3],
            [77; 3],
        ]),
    ];
    for onnx in [TINY, sparkles_lite0::ONNX] {
        let backbone = Backbone::from_onnx(onnx).unwrap();
        let bits = |order: &[usize]| {
            let mut featurizer = Featurizer::new(&backbone, AlphaPolicy::Drop).unwrap();
            let mut all = vec![Vec::new(); photos.len()];
            for index in order {
                let photo = &photos[*index];
                let header = read_header(Cursor::new(photo)).unwrap();
                let features = featurizer.features(photo, &header).unwrap();
                all[*index] = features
                    .iter()
                    .map(|value| value.to_bits())
                    .collect::<Vec<_>>();
            }
            all
        };
        let first = bits(&[0, 1, 2]);
        assert_eq!(first, bits(&[2, 0, 1]));
        let threads = std::thread::scope(|scope| {
            let workers = [
                scope.spawn(|| bits(&[1, 2, 0, 1, 2, 0])),
                scope.spawn(|| bits(&[0, 2, 1])),
            ];
            workers.map(|worker| worker.join().unwrap())
        });
        assert_eq!(threads, [first.clone(), first.clone()]);
        assert_ne!(first[0], first[1]);
    }
}

#[test]
fn numbers_that_are_none_are_an_engine_error() {
    // Name, then the 864 bytes of the first weights: one is made infinite.
    let mut bytes = TINY.to_vec();
    let start = b"\x42\x02w1\x4a\xe0\x06";
    let at = bytes
        .windows(start.len())
        .position(|window| window == start)
        .unwrap()
        + start.len();
    bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let backbone = Backbone::from_onnx(bytes).unwrap();
    let mut featurizer = Featurizer::new(&backbone, AlphaPolicy::Drop).unwrap();
    let photo = bitmap([[255; 3]; 6]);
    let header = read_header(Cursor::new(&photo)).unwrap();
    let error = featurizer.features(&photo, &header).unwrap_err();
    assert_eq!(error.reason(), "engine");
    assert!(
        error.to_string().ends_with("of 16 values are not finite"),
        "{error}"
    );
}

#[test]
fn a_tensor_of_another_size_is_refused() {
    let backbone = Backbone::from_onnx(TINY).unwrap();
    let mut session = backbone.session().unwrap();
    assert_eq!(
        session.features(&[0.0; 7]).unwrap_err().to_string(),
        "the input takes 3072 values, found 7"
    );
}

/// Ten seconds: `cargo test -p sparkles-vision -- --ignored`.
#[test]
#[ignore = "ten seconds; reference/vision/compare.py does it too"]
fn top_1_of_the_imagenet_sample() {
    let Some(classes) = shared("imagenet-sample/classes.csv") else {
        return;
    };
    let classes = String::from_utf8(classes).unwrap();
    let backbone = Backbone::from_onnx(sparkles_lite0::ONNX).unwrap();
    let mut featurizer = Featurizer::new(&backbone, AlphaPolicy::Drop).unwrap();
    let (mut right, mut all) = (0, 0);
    for line in classes.lines().skip(1) {
        let (file, class) = line.split_once(',').unwrap();
        let photo = shared(&format!("imagenet-sample/{file}")).unwrap();
        let header = read_header(Cursor::new(&photo)).unwrap();
        let logits = featurizer.logits(&photo, &header).unwrap();
        let largest = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        right += usize::from(largest == class.parse().ok());
        all += 1;
    }
    assert_eq!(all, 125);
    assert!(
        (110..=112).contains(&right),
        "{right} of {all} right, 111 expected"
    );
}
