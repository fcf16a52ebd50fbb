//! ONNX files: built, cut, inspected, and refused where they lie.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use sparkles_vision::{
    Architecture, Backbone, BackboneCard, CardSettings, OnnxError, OnnxFile, Pooling, Preset,
    SelfTest, Weights, WeightsError,
};

const TINY: &[u8] = include_bytes!("data/tiny.onnx");
const TINY_WITHOUT_CARD: &[u8] = include_bytes!("data/tiny_without_card.onnx");

fn parse(bytes: &[u8]) -> Result<OnnxFile, OnnxError> {
    OnnxFile::parse(bytes.to_vec().into())
}

/// Parameters and multiply-adds of `timm`'s modules, counted by hooks on their
/// convolutions and matrices in PyTorch; a normalisation that is folded leaves one
/// bias a channel.
#[test]
fn networks_have_their_real_shape() {
    for (architecture, parameters, multiply_adds, dimension) in [
        (Architecture::ResNet50, 25_530_472, 4_089_184_256, 2048),
        (Architecture::InceptionV3, 23_817_352, 5_713_216_096, 2048),
        (Architecture::Xception, 22_828_688, 8_357_403_496, 2048),
        (
            Architecture::EfficientNetLite1,
            5_389_850,
            600_185_232,
            1280,
        ),
        (
            Architecture::EfficientNetLite4,
            12_950_386,
            3_943_564_112,
            1280,
        ),
    ] {
        let weights = Weights::random(3);
        let (mut file, mut card) = architecture.build(&weights, "random", "3").unwrap();
        let inspection = file.inspect(1).unwrap();
        assert_eq!(inspection.parameters, parameters, "{architecture}");
        assert_eq!(
            inspection.multiply_adds,
            Some(multiply_adds),
            "{architecture}"
        );
        assert!(inspection.unsupported.is_empty());
        assert_eq!(card.feature_dimension, dimension);

        // The card goes into the file and comes back; features are finite, and vary.
        let backbone = Backbone::from_onnx(file.encode()).unwrap();
        let test = SelfTest::run(&backbone).unwrap();
        assert!(test.norm.is_finite() && test.norm > 0.0);
        card.self_test = Some(test.clone());
        file.set_card(&card);
        let again = Backbone::from_onnx(file.encode()).unwrap();
        assert_eq!(again.card(), &card);
        assert!(SelfTest::run(&again).unwrap().agrees(&test));
        // Another seed is another network.
        let (other, _) = architecture.build(&Weights::random(4), "", "4").unwrap();
        let other = Backbone::from_onnx(other.encode()).unwrap();
        assert!(!SelfTest::run(&other).unwrap().agrees(&test));
    }
}

#[test]
fn weights_of_another_network_are_refused() {
    let values = vec![0u8; 4 * 64 * 3 * 7 * 7];
    let tensor = |shape: Vec<usize>| {
        let bytes = &values[..4 * shape.iter().product::<usize>()];
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes).unwrap()
    };
    let build = |tensors: Vec<(&str, safetensors::tensor::TensorView<'_>)>| {
        let file = safetensors::serialize(tensors, None).unwrap();
        let weights = Weights::from_safetensors(&file).unwrap();
        Architecture::ResNet50.build(&weights, "", "").unwrap_err()
    };
    let error = build(vec![("features.0.weight", tensor(vec![64, 3, 3, 3]))]);
    assert!(matches!(error, WeightsError::Missing { name } if name == "conv1.weight"));
    let error = build(vec![("conv1.weight", tensor(vec![64, 3, 7, 3]))]);
    assert!(matches!(error, WeightsError::Shape { .. }), "{error}");
    assert!(Weights::from_safetensors(b"not weights").is_err());
    // A header that promises more than there is.
    let mut lie = u64::MAX.to_le_bytes().to_vec();
    lie.extend(b"{}");
    assert!(Weights::from_safetensors(&lie).is_err());
}

#[test]
fn a_file_without_a_card_becomes_a_backbone() {
    let file = parse(TINY_WITHOUT_CARD).unwrap();
    let refused = file
        .clone()
        .into_backbone(None, Pooling::Mean, &CardSettings::default(), "x");
    assert!(matches!(refused, Err(OnnxError::NoPreprocessing)));
    let settings = CardSettings {
        preset: Some(Preset::KerasCaffe),
        mean: Some([1.0, 2.0, 3.0]),
        ..CardSettings::default()
    };
    let (mut cut, card) = file
        .into_backbone(None, Pooling::Mean, &settings, "mine")
        .unwrap();
    assert_eq!(card.name, "mine");
    assert_eq!(
        card.mean.map(f32::to_bits),
        [1.0f32, 2.0, 3.0].map(f32::to_bits)
    );
    cut.set_card(&card);
    let backbone = Backbone::from_onnx(cut.encode()).unwrap();
    assert_eq!(backbone.dimension(), card.feature_dimension);
    assert_eq!(BackboneCard::from_metadata(cut.metadata()).unwrap(), card);

    // A preset prepares pixels; where to cut is still what the file's card says.
    let own = Backbone::from_onnx(TINY).unwrap().card().clone();
    let (_, card) = parse(TINY)
        .unwrap()
        .into_backbone(None, Pooling::Mean, &settings, "")
        .unwrap();
    assert_eq!(card.feature_output, own.feature_output);
    assert_eq!(card.feature_dimension, own.feature_dimension);

    let misspelt = parse(TINY).unwrap().into_backbone(
        Some("featurs"),
        Pooling::Mean,
        &CardSettings::default(),
        "",
    );
    assert!(matches!(misspelt, Err(OnnxError::NoSuchValue { .. })));
}

#[test]
fn maps_are_pooled_or_laid_out() {
    let whole = Backbone::from_onnx(TINY).unwrap();
    let side = (whole.card().height * whole.card().width * 3) as usize;
    let tensor: Vec<f32> = (0..side)
        .map(|at| ((at * 37 % 101) as f32 - 50.0) / 50.0)
        .collect();
    let features = whole.session().unwrap().features(&tensor).unwrap();
    let cut = |pooling| {
        let settings = CardSettings::default();
        let file = parse(TINY).unwrap();
        let (mut file, card) = file.into_backbone(None, pooling, &settings, "").unwrap();
        file.set_card(&card);
        Backbone::from_onnx(file.encode()).unwrap()
    };
    let mean = cut(Pooling::Mean)
        .session()
        .unwrap()
        .features(&tensor)
        .unwrap();
    assert_eq!(mean, features);
    // Channels are innermost: the mean over pixels is the pooled vector.
    let flat = cut(Pooling::None);
    let flat = flat.session().unwrap().features(&tensor).unwrap();
    let channels = features.len();
    assert!(flat.len() > channels && flat.len() % channels == 0);
    let pixels = (flat.len() / channels) as f32;
    for (channel, pooled) in features.iter().enumerate() {
        let sum: f32 = flat.iter().skip(channel).step_by(channels).sum();
        assert!((sum / pixels - pooled).abs() < 1e-5);
    }
}

#[test]
fn what_is_inconsistent_is_refused() {
    for bytes in [&b""[..], b"\x08", b"plain text", &TINY[..TINY.len() / 2]] {
        assert!(parse(bytes).is_err(), "{} bytes", bytes.len());
    }
    // The same but for one of the places that name a value: nothing makes it then.
    let places = TINY.windows(8).enumerate();
    let errors = places
        .filter(|(_, window)| window == b"features")
        .filter_map(|(at, _)| {
            let mut broken = TINY.to_vec();
            broken[at] = b'F';
            parse(&broken).err()
        });
    let unknown = errors.filter(|error| matches!(error, OnnxError::UnknownValue { .. }));
    assert!(unknown.count() >= 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever bytes there are: an error or a file, never a panic.
    #[test]
    fn no_bytes_panic(edits in prop::collection::vec((0..TINY.len(), any::<u8>()), 1..12), cut in 0..TINY.len()) {
        let mut bytes = TINY.to_vec();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        if cut % 3 == 0 {
            bytes.truncate(cut);
        }
        if let Ok(file) = parse(&bytes) {
            let again = parse(&file.encode()).unwrap();
            prop_assert_eq!(again.encode(), file.encode());
            let _ = file.clone().cut(&["features"]);
            let _ = file.classifier_input();
        }
        let _ = Weights::from_safetensors(&bytes);
    }
}
