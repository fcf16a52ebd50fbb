//! Real photos, where they are at hand: the numbers that the project promises.

use super::{Desk, number, shared};

#[test]
fn cars_and_trees_over_five_seeds() {
    let (Some(photos), Some(classes)) = (
        shared("car-tree"),
        shared("open-images-metadata/class-descriptions-boxable.csv"),
    ) else {
        return;
    };
    let desk = Desk::new();
    let text = |path: std::path::PathBuf| path.display().to_string();
    let ingested = desk.json(&[
        "ingest",
        "--images",
        &text(photos.join("photos")),
        "--labels",
        &text(photos.join("labels.csv")),
        "--classes",
        &text(classes),
        "--out",
        "dataset",
    ]);
    assert_eq!(number(&ingested, "found"), 538);
    assert_eq!(number(&ingested, "samples"), 538);
    let featurized = desk.json(&["featurize", "dataset", "--threads", "2"]);
    assert_eq!(number(&featurized, "featurized"), 538);
    assert_eq!(number(&featurized, "dimension"), 1280);
    if let Some(peak) = featurized["peak_memory_bytes"].as_u64() {
        assert!(peak < 250_000_000, "{peak} bytes");
    }
    let mut mistakes = 0.0;
    for seed in ["1", "2", "3", "4", "5"] {
        let model = format!("model-{seed}");
        desk.succeed(&[
            "train", "dataset", "--label", "Car", "--label", "Tree", "--seed", seed, "--out",
            &model,
        ]);
        let evaluated = desk.json(&["evaluate", &model]);
        let rows = evaluated["rows"].as_f64().unwrap();
        assert!(rows > 70.0);
        mistakes += rows * (1.0 - evaluated["accuracy"].as_f64().unwrap());
    }
    assert!(mistakes < 2.5, "{mistakes} mistakes");
}
