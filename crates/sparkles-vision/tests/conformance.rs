//! What every engine must do alike: one list of checks, run for each that is here.
//!
//! ONNX Runtime is skipped, loudly, where its library is not found; with
//! `SPARKLES_REQUIRE_ORT=1` that is a failure.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::PathBuf;

use sparkles_vision::{
    Architecture, Backbone, BackboneError, Engine, OnnxError, Provider, SelfTest, Session, Weights,
};

const TINY: &[u8] = include_bytes!("data/tiny.onnx");
const TINY_WITHOUT_CARD: &[u8] = include_bytes!("data/tiny_without_card.onnx");

/// Of the norm of a vector: what engines may differ by.
const TOLERANCE: f64 = 1e-4;

type Check = fn(Engine);
type Output = fn(&mut Session, &[f32]) -> Result<Vec<f32>, BackboneError>;

const CHECKS: [(&str, Check); 9] = [
    ("the engine is the one asked for", names_itself),
    ("self-tests of the cards", self_tests),
    ("logits", logits),
    ("an input of another length", wrong_input),
    ("a card that names what is not there", unknown_output),
    ("broken files", broken_files),
    ("the same bits each time", same_bits),
    ("values of the default engine", like_the_default),
    ("memory that does not grow", flat_memory),
];

// One test, since one of the checks looks at the memory of the whole process.
#[test]
fn every_engine_conforms() {
    let required = std::env::var_os("SPARKLES_REQUIRE_ORT").is_some_and(|value| value == "1");
    for engine in Engine::ALL {
        match Backbone::with_engine(TINY, engine) {
            Err(error @ BackboneError::NoRuntime { .. }) => {
                assert!(!required, "{engine}: {error}");
                eprintln!("SKIPPED: {engine}: {error}");
                continue;
            }
            Err(error @ BackboneError::NoProvider { .. }) => {
                assert_ne!(engine, Engine::Ort(Provider::Cpu), "{error}");
                eprintln!("SKIPPED: {error}");
                continue;
            }
            backbone => drop(backbone.unwrap()),
        }
        for (name, check) in CHECKS {
            eprintln!("{engine}: {name}");
            check(engine);
        }
    }
}

fn open(onnx: impl Into<std::borrow::Cow<'static, [u8]>>, engine: Engine) -> Backbone {
    Backbone::with_engine(onnx, engine).unwrap()
}

/// The files of real weights: the embedded one, and those of the shared data.
fn real() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![("embedded", sparkles_lite0::ONNX.to_vec())];
    for name in [
        "efficientnet_lite0",
        "efficientnet_lite0_f16",
        "efficientnet_lite0_int8",
        "efficientnet_lite2",
        "mobilenet_v2_1.0_224_uint8",
    ] {
        let file = shared(&format!("backbones/{name}.onnx"));
        files.extend(file.map(|bytes| (name, bytes)));
    }
    files
}

/// A file of the shared data, or `None`, said loudly.
fn shared(path: &str) -> Option<Vec<u8>> {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let whole = PathBuf::from(data).join(path);
    let bytes = std::fs::read(&whole).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no {}", whole.display());
    }
    bytes
}

/// An image's tensor, another for each seed.
fn tensor(backbone: &Backbone, seed: u32) -> Vec<f32> {
    let card = backbone.card();
    let mut state = u64::from(seed) + 1;
    let values = 3 * card.height * card.width;
    (0..values)
        .map(|_| {
            // Knuth's MMIX generator; its high bits.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let byte = u8::try_from(state >> 56).unwrap();
            f32::from(byte) / 127.5 - 1.0
        })
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The largest difference, relative to the norm of `expected`.
fn difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let squares = expected.iter().map(|value| f64::from(*value).powi(2));
    let norm = squares.sum::<f64>().sqrt();
    let pairs = found.iter().zip(expected);
    let differences = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs() / norm);
    differences.fold(0.0, f64::max)
}

fn names_itself(engine: Engine) {
    let backbone = open(TINY, engine);
    assert_eq!(backbone.engine(), engine);
    // Engines differ by rounding only: the key does not tell them apart.
    let other = Backbone::from_onnx(TINY).unwrap();
    let key = |backbone: &Backbone| backbone.feature_key(sparkles_vision::AlphaPolicy::Drop);
    assert_eq!(key(&backbone), key(&other));
}

fn self_tests(engine: Engine) {
    for (name, onnx) in real() {
        let backbone = open(onnx, engine);
        let Some(expected) = backbone.card().self_test.clone().or_else(|| vector(name)) else {
            continue;
        };
        let found = SelfTest::run(&backbone).unwrap();
        let difference = expected.difference(&found);
        eprintln!("  {name}: {difference:e}");
        assert!(expected.agrees(&found), "{engine}, {name}: {difference}");
    }
}

/// The self-test vector that lies beside a file of the shared data.
#[expect(clippy::cast_possible_truncation, reason = "they were 32 bits")]
fn vector(name: &str) -> Option<SelfTest> {
    let name = if name == "embedded" {
        "efficientnet_lite0_f16"
    } else {
        name
    };
    let check = shared(&format!("backbones/{name}_check.json"))?;
    let check: serde_json::Value = serde_json::from_slice(&check).unwrap();
    let head = check["features_first_16"].as_array().unwrap();
    Some(SelfTest {
        head: head
            .iter()
            .map(|value| value.as_f64().unwrap() as f32)
            .collect(),
        norm: check["features_l2_norm"].as_f64().unwrap() as f32,
    })
}

fn logits(engine: Engine) {
    let backbone = open(sparkles_lite0::ONNX, engine);
    let mut session = backbone.session().unwrap();
    let input = tensor(&backbone, 7);
    assert_eq!(session.logits(&input).unwrap().len(), 1000);
    // One output does not disturb the other.
    let before = session.features(&input).unwrap();
    session.logits(&tensor(&backbone, 8)).unwrap();
    assert_eq!(bits(&before), bits(&session.features(&input).unwrap()));
}

fn wrong_input(engine: Engine) {
    let mut session = open(TINY, engine).session().unwrap();
    assert_eq!(
        session.features(&[0.0; 7]).unwrap_err().to_string(),
        "the input takes 3072 values, found 7"
    );
}

fn unknown_output(engine: Engine) {
    let mut onnx = TINY.to_vec();
    let find = |bytes: &[u8], text: &[u8]| {
        let mut windows = bytes.windows(text.len());
        windows.position(|window| window == text).unwrap()
    };
    let key = find(&onnx, b"sparkles.feature_output");
    let value = key + find(&onnx[key..], b"features");
    onnx[value..value + 8].copy_from_slice(b"featurez");
    assert_eq!(
        Backbone::with_engine(onnx, engine).unwrap_err().to_string(),
        "the card names output `featurez`, the graph has `features`, `logits`"
    );
}

fn broken_files(engine: Engine) {
    let whole = sparkles_lite0::ONNX;
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        let error = Backbone::with_engine(&whole[..length], engine).unwrap_err();
        let is_refused = matches!(
            error,
            BackboneError::NotOnnx { .. } | BackboneError::Card(_) | BackboneError::Load { .. }
        );
        assert!(is_refused, "{engine}, {length} bytes: {error}");
    }
    assert!(matches!(
        Backbone::with_engine(b"not an onnx file at all".to_vec(), engine),
        Err(BackboneError::NotOnnx { .. })
    ));
    assert!(matches!(
        Backbone::with_engine(TINY_WITHOUT_CARD, engine),
        Err(BackboneError::Card(_))
    ));
    // An operator that there is not: what it makes cannot be told, whatever the engine.
    let mut onnx = TINY.to_vec();
    let mut windows = onnx.windows(6);
    let at = windows
        .position(|window| window == b"\x22\x04Conv")
        .unwrap();
    onnx[at + 2..at + 6].copy_from_slice(b"Cnov");
    assert!(matches!(
        Backbone::with_engine(onnx, engine),
        Err(BackboneError::Graph(OnnxError::UnknownShape { .. }))
    ));
}

fn same_bits(engine: Engine) {
    let backbone = open(sparkles_lite0::ONNX, engine);
    let images: Vec<Vec<f32>> = (0..3).map(|seed| tensor(&backbone, seed)).collect();
    let run = |order: &[usize]| {
        let mut session = backbone.session().unwrap();
        let mut all = vec![Vec::new(); images.len()];
        for index in order {
            all[*index] = bits(&session.features(&images[*index]).unwrap());
        }
        all
    };
    let first = run(&[0, 1, 2, 0]);
    assert_eq!(first, run(&[2, 1, 0]));
    let threads = std::thread::scope(|scope| {
        let workers = [
            scope.spawn(|| run(&[1, 2, 0, 1])),
            scope.spawn(|| run(&[0, 2, 1, 0])),
        ];
        workers.map(|worker| worker.join().unwrap())
    });
    assert_eq!(threads, [first.clone(), first.clone()]);
    assert_ne!(first[0], first[1]);
}

fn like_the_default(engine: Engine) {
    let mut files = real();
    let weights = Weights::random(3);
    let (built, _) = Architecture::ResNet50
        .build(&weights, "random", "3")
        .unwrap();
    files.push(("resnet50", built.encode()));
    for (name, onnx) in files {
        let (ours, default) = (open(onnx.clone(), engine), open(onnx, Engine::default()));
        let input = tensor(&ours, 11);
        let outputs: [Output; 2] = [Session::features, Session::logits];
        for output in outputs {
            let values = |backbone: &Backbone| {
                let mut session = backbone.session().unwrap();
                output(&mut session, &input).unwrap()
            };
            let difference = difference(&values(&ours), &values(&default));
            eprintln!("  {name}: {difference:e}");
            assert!(difference < TOLERANCE, "{engine}, {name}: {difference}");
        }
    }
}

fn flat_memory(engine: Engine) {
    let Some(_) = resident_bytes() else {
        eprintln!("SKIPPED: this system does not say how much memory is held");
        return;
    };
    let backbone = open(sparkles_lite0::ONNX, engine);
    let mut session = backbone.session().unwrap();
    let mut run = |seeds: std::ops::Range<u32>| {
        for seed in seeds {
            session.features(&tensor(&backbone, seed)).unwrap();
        }
        resident_bytes().unwrap()
    };
    let before = run(0..3);
    let after = run(3..23);
    let growth = after.saturating_sub(before);
    assert!(growth < 4 << 20, "{engine}: {growth} bytes more");
}

/// What the process holds now (`VmRSS` of Linux).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
