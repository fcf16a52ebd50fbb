//! Bounds and hostile input: memory stays flat, every file is accounted for.

use std::fs;

use super::{Desk, number, shared, tiny};

#[test]
fn ten_times_the_photos_take_the_same_memory() {
    let desk = Desk::new();
    fs::create_dir(desk.path("one")).unwrap();
    for seed in 0..20u64 {
        sparkles::demo::draw(sparkles::demo::Scene::Both, 320, 240, seed)
            .save(desk.path("one").join(format!("{seed}.png")))
            .unwrap();
    }
    for (folder, copies) in [("few", 5), ("many", 50)] {
        fs::create_dir(desk.path(folder)).unwrap();
        for seed in 0..20 {
            for copy in 0..copies {
                fs::hard_link(
                    desk.path("one").join(format!("{seed}.png")),
                    desk.path(folder).join(format!("{seed}-{copy}.png")),
                )
                .unwrap();
            }
        }
    }
    let peak = |folder: &str| {
        let dataset = format!("{folder}.sparkles");
        desk.succeed(&["ingest", "--images", folder, "--out", &dataset]);
        let summary = desk.json(&[
            "featurize",
            &dataset,
            "--backbone",
            &tiny(),
            "--threads",
            "2",
        ]);
        assert_eq!(number(&summary, "rejected"), 0);
        summary["peak_memory_bytes"].as_u64()
    };
    let (few, many) = (peak("few"), peak("many"));
    let (Some(few), Some(many)) = (few, many) else {
        eprintln!("SKIPPED: this system does not tell the peak of memory");
        return;
    };
    assert!(
        many as f64 <= 1.1 * few as f64,
        "100 photos: {few} bytes, 1,000: {many}"
    );
}

#[test]
fn odd_files_are_features_or_lines_in_the_ledger() {
    let Some(folder) = shared("odd-files") else {
        return;
    };
    let desk = Desk::new();
    let folder = folder.display().to_string();
    let ingested = desk.json(&["ingest", "--images", &folder, "--out", "odd"]);
    assert_eq!(
        number(&ingested, "found"),
        number(&ingested, "samples") + number(&ingested, "rejected")
    );
    let featurized = desk.json(&[
        "featurize",
        "odd",
        "--backbone",
        &tiny(),
        "--memory",
        "300MiB",
        "--threads",
        "2",
    ]);
    assert_eq!(
        number(&featurized, "samples"),
        number(&featurized, "featurized") + number(&featurized, "rejected")
    );
    assert!(number(&featurized, "featurized") > 90);
    if let Some(peak) = featurized["peak_memory_bytes"].as_u64() {
        assert!(peak < 300 << 20, "{peak} bytes");
    }
}

#[test]
fn hostile_names_and_labels_are_text() {
    let desk = Desk::new();
    let names = [
        "a b",
        "#1 100%",
        "<script>",
        "quote'\"",
        "ünïcödé 日本",
        "-dash",
        "rtl\u{202e}txt",
    ];
    for name in names {
        for class in ["<b>one</b>", "two|three"] {
            fs::create_dir_all(desk.path("p").join(class)).unwrap();
            sparkles::demo::draw(sparkles::demo::Scene::Tree, 40, 30, name.len() as u64)
                .save(desk.path("p").join(class).join(format!("{name}.png")))
                .unwrap();
        }
    }
    fs::write(
        desk.path("p/two|three/broken.jpg"),
        [0xff, 0xd8, 0xff, 0xe0, 0, 16],
    )
    .unwrap();
    fs::write(desk.path("p/empty.png"), []).unwrap();
    let ingested = desk.json(&["ingest", "--images", "p", "--out", "d"]);
    assert_eq!(number(&ingested, "found"), 16);
    assert_eq!(number(&ingested, "samples"), 14);
    let trained = desk.json(&[
        "train",
        "d",
        "--backbone",
        &tiny(),
        "--out",
        "m",
        "--split",
        "1.0",
    ]);
    assert_eq!(number(&trained, "rows"), 14);
    let lines = desk.succeed(&["predict", "m", "p", "--format", "json"]);
    assert_eq!(lines.lines().count(), 16);
    let text = desk.succeed(&["predict", "m", "p"]);
    assert!(!text.contains('\u{202e}'));
    let card = fs::read_to_string(desk.path("m/README.md")).unwrap();
    assert!(!card.contains("<b>"));
}

#[test]
fn too_little_memory_is_refused_not_exceeded() {
    let desk = Desk::new();
    desk.city(40);
    let refusal = desk.fail(&["featurize", "city", "--memory", "20MiB"]);
    assert!(refusal.contains("hint: `--memory "), "{refusal}");
}

#[test]
fn what_lies_in_the_way_of_a_dataset_is_never_removed() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("data/labels")).unwrap();
    fs::write(desk.path("data/labels/train.csv"), "path,label\na.png,x\n").unwrap();
    sparkles::demo::draw(sparkles::demo::Scene::Car, 40, 40, 1)
        .save(desk.path("a.png"))
        .unwrap();
    let refusal = desk.fail(&["ingest", "--images", "a.png", "--out", "data"]);
    assert!(refusal.contains("already exists"), "{refusal}");
    assert!(desk.path("data/labels/train.csv").exists());

    // What an interrupted ingest left is no obstacle.
    fs::create_dir_all(desk.path("cut/samples")).unwrap();
    fs::write(desk.path("cut/samples/0123456789abcdef.parquet#1"), "half").unwrap();
    let summary = desk.json(&["ingest", "--images", "a.png", "--out", "cut"]);
    assert_eq!(number(&summary, "samples"), 1);
    assert_eq!(fs::read_dir(desk.path("cut/samples")).unwrap().count(), 1);
}

#[test]
fn several_folders_keep_their_classes_and_labels_without_rows_are_said() {
    let desk = Desk::new();
    for (batch, class) in [("b1", "cat"), ("b1", "dog"), ("b2", "cat"), ("b2", "dog")] {
        let folder = desk.path(batch).join(class);
        fs::create_dir_all(&folder).unwrap();
        for seed in 0..4u64 {
            sparkles::demo::draw(sparkles::demo::Scene::Tree, 40, 40, seed)
                .save(folder.join(format!("{seed}.png")))
                .unwrap();
        }
    }
    let summary = desk.json(&["ingest", "--images", "b1", "b2", "--out", "d"]);
    assert_eq!(number(&summary, "classes"), 2);
    assert_eq!(number(&summary, "doubled_ids"), 0);
    let trained = desk.json(&[
        "train",
        "d",
        "--backbone",
        &tiny(),
        "--split",
        "1.0",
        "--out",
        "m",
    ]);
    assert_eq!(
        trained["label_counts"],
        serde_json::json!({"cat": 8, "dog": 8})
    );

    desk.city(40);
    let arguments = [
        "train",
        "city",
        "--label",
        "Car",
        "--label",
        "Dog",
        "--backbone",
        &tiny(),
        "--out",
        "n",
    ];
    let refusal = desk.fail(&arguments);
    assert!(
        refusal.contains("no photo is verified to have `Dog`"),
        "{refusal}"
    );
}
