//! Features of real photos beside those of Pillow and ONNX Runtime.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::HashMap;
use std::path::Path;

use sparkles::{FeaturizeOptions, IngestRequest, Location, NoProgress, Stores, featurize, ingest};
use sparkles_data::read_features;

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// JPEG decoders round differently: small colour photos that are enlarged, whose
/// chroma has half the resolution, come out up to half a per cent apart (51 of
/// 496 at the time of writing). Formats without loss agree.
#[test]
fn features_agree_with_pillow_and_onnx_runtime() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let photos = data.join("car-tree/photos");
    let golden = data.join("backbones/lite0_car_tree_features.parquet");
    if !photos.exists() || !golden.exists() {
        eprintln!("SKIPPED: there is no {}", data.display());
        return;
    }
    let stores = Stores::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let request = IngestRequest {
        images: vec![photos.display().to_string()],
        ..IngestRequest::new(Location::local(folder.path().join("dataset")).unwrap())
    };
    let (dataset, _) = ingest(&stores, &request, &NoProgress).unwrap();
    featurize(&dataset, &FeaturizeOptions::default(), &NoProgress).unwrap();

    let mut ours = HashMap::new();
    for store in dataset.feature_stores().unwrap() {
        store
            .visit(|row| {
                ours.insert(row.sample_id.to_owned(), row.features.to_vec());
            })
            .unwrap();
    }
    assert_eq!(ours.len(), 538);
    let location = Location::local(&golden).unwrap();
    let bytes = stores.read(&location).unwrap();
    let mut theirs = HashMap::new();
    read_features(&location, bytes, "image_id", |id, features| {
        theirs.insert(id.to_owned(), features.to_vec());
    })
    .unwrap();
    let mut below = 0;
    for (name, features) in &ours {
        let (stem, extension) = name.rsplit_once('.').unwrap();
        let cosine = cosine(features, &theirs[stem]);
        assert!(cosine > 0.994, "{name}: {cosine}");
        if extension == "jpg" {
            below += u32::from(cosine < 0.999);
        } else {
            assert!(cosine > 0.9999, "{name}: {cosine}");
        }
    }
    eprintln!("{below} of 496 JPEGs below a cosine of 0.999");
    assert!(below <= 55, "{below} JPEGs below a cosine of 0.999");
}
