//! What a user reads: help, and errors in the house form.

use std::fs;

use insta::assert_snapshot;

use super::{Desk, shared, tiny};

#[test]
fn help_texts() {
    let desk = Desk::new();
    let mut verbs = vec![
        "demo",
        "ingest",
        "explore",
        "featurize",
        "train",
        "evaluate",
        "predict",
        "tag",
        "model",
        "backbone",
    ];
    if cfg!(feature = "sql") {
        verbs.push("sql");
    }
    for verb in verbs {
        assert_snapshot!(format!("help-{verb}"), desk.succeed(&[verb, "--help"]));
    }
    let help = desk.succeed(&["model", "export", "--help"]);
    assert_snapshot!("help-model-export", help);
    for action in ["list", "pull", "inspect", "cut", "check"] {
        let help = desk.succeed(&["backbone", action, "--help"]);
        assert_snapshot!(format!("help-backbone-{action}"), help);
    }
}

#[test]
fn wrong_usage_is_exit_2() {
    let desk = Desk::new();
    for arguments in [
        &["train"][..],
        &["frobnicate"],
        &["featurize", "x", "--memory", "lots"],
        &["featurize", "x", "--threads", "0"],
        &["train", "x", "--split", "2,3", "--out", "m"],
        &["featurize", "x", "--alpha", "pink"],
        &[
            "ingest",
            "--images",
            "x",
            "--label-column",
            "y",
            "--out",
            "d",
        ],
        &["train", "x", "--reg-param", "-1", "--out", "m"],
        &["train", "x", "--reg-param", "nan", "--out", "m"],
        &["train", "x", "--seed", "-1", "--out", "m"],
        &["evaluate", "m", "--predictions", "rows.xlsx"],
        &["predict", "m", "x", "--top", "0"],
    ] {
        assert_eq!(desk.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn bad_inputs_of_ingest() {
    let desk = Desk::new();
    fs::create_dir(desk.path("empty")).unwrap();
    fs::create_dir(desk.path("texts")).unwrap();
    fs::write(desk.path("texts/readme.md"), "words").unwrap();
    fs::create_dir(desk.path("taken")).unwrap();
    fs::write(desk.path("taken/thesis.tex"), "mine").unwrap();
    sparkles::demo::draw(sparkles::demo::Scene::Car, 40, 40, 1)
        .save(desk.path("a.png"))
        .unwrap();
    fs::write(
        desk.path("columns.csv"),
        "ImageID,Source,LabelName\na,b,c\n",
    )
    .unwrap();
    fs::write(desk.path("strange.csv"), "colour,taste\nred,sweet\n").unwrap();
    fs::write(desk.path("nothing.csv"), "").unwrap();
    fs::write(desk.path("fake.parquet"), "PAR1 is not enough").unwrap();
    for (name, arguments) in [
        ("no-images", &["--out", "d"][..]),
        ("missing-folder", &["--images", "nowhere", "--out", "d"]),
        ("empty-folder", &["--images", "empty", "--out", "d"]),
        ("no-image-in-folder", &["--images", "texts", "--out", "d"]),
        ("output-exists", &["--images", "a.png", "--out", "taken"]),
        ("output-is-a-file", &["--images", "a.png", "--out", "a.png"]),
        (
            "output-below-a-file",
            &["--images", "a.png", "--out", "a.png/d"],
        ),
        (
            "labels-are-a-folder",
            &["--images", "a.png", "--labels", "texts", "--out", "d"],
        ),
        (
            "missing-column",
            &["--images", "a.png", "--labels", "columns.csv", "--out", "d"],
        ),
        (
            "unknown-columns",
            &["--images", "a.png", "--labels", "strange.csv", "--out", "d"],
        ),
        (
            "empty-labels",
            &["--images", "a.png", "--labels", "nothing.csv", "--out", "d"],
        ),
        (
            "fake-parquet",
            &[
                "--images",
                "a.png",
                "--labels",
                "fake.parquet",
                "--out",
                "d",
            ],
        ),
        (
            "id-pattern",
            &["--images", "a.png", "--id-pattern", "[", "--out", "d"],
        ),
        ("bucket", &["--images", "s3://bucket/photos", "--out", "d"]),
    ] {
        let mut all = vec!["ingest"];
        all.extend(arguments);
        assert_snapshot!(format!("ingest-{name}"), desk.fail(&all));
        assert!(!desk.path("d").exists(), "{name} left something behind");
    }
}

#[test]
fn bad_inputs_of_training() {
    let desk = Desk::new();
    desk.city(50);
    let tiny = tiny();
    fs::create_dir(desk.path("taken")).unwrap();
    fs::write(desk.path("taken/thesis.tex"), "mine").unwrap();
    let card = std::path::Path::new(&tiny).with_file_name("tiny_without_card.onnx");
    let card = card.display().to_string();
    fs::write(desk.path("broken.onnx"), "not an ONNX file").unwrap();
    for (name, arguments) in [
        ("no-dataset", &["nowhere", "--out", "m"][..]),
        ("misspelt-label", &["city", "--label", "Caar", "--out", "m"]),
        ("no-absent", &["city", "--label", "House", "--out", "m"]),
        (
            "both-error",
            &[
                "city", "--label", "Car", "--label", "Tree", "--both", "error", "--out", "m",
            ],
        ),
        (
            "output-exists",
            &["city", "--label", "Car", "--out", "taken"],
        ),
        (
            "unknown-backbone",
            &[
                "city",
                "--label",
                "Car",
                "--backbone",
                "resnet",
                "--out",
                "m",
            ],
        ),
        (
            "missing-backbone",
            &[
                "city",
                "--label",
                "Car",
                "--backbone",
                "gone.onnx",
                "--out",
                "m",
            ],
        ),
        (
            "broken-backbone",
            &[
                "city",
                "--label",
                "Car",
                "--backbone",
                "broken.onnx",
                "--out",
                "m",
            ],
        ),
    ] {
        let mut all = vec!["train"];
        all.extend(arguments);
        assert_snapshot!(format!("train-{name}"), desk.fail(&all));
        assert!(!desk.path("m").exists(), "{name} left something behind");
    }
    let text = desk.fail(&[
        "train",
        "city",
        "--label",
        "Car",
        "--backbone",
        &card,
        "--out",
        "m",
    ]);
    assert_snapshot!("train-backbone-without-card", text.replace(&card, "[card]"));
}

#[test]
fn files_that_are_not_what_they_were() {
    let desk = Desk::new();
    desk.city(50);
    let tiny = tiny();
    desk.succeed(&[
        "train",
        "city",
        "--label",
        "Car",
        "--label",
        "Tree",
        "--backbone",
        &tiny,
        "--out",
        "model",
    ]);

    let edit = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(desk.path(file)).unwrap();
        assert!(text.contains(from), "{file} holds no {from}");
        fs::write(desk.path(file), text.replacen(from, to, 1)).unwrap();
        text
    };
    let before = edit(
        "model/pipeline.json",
        "\"format_version\": 1",
        "\"format_version\": 99",
    );
    assert_snapshot!("model-newer", desk.fail(&["evaluate", "model"]));
    fs::write(desk.path("model/pipeline.json"), &before).unwrap();
    edit(
        "model/pipeline.json",
        "\"feature_key\": \"",
        "\"feature_key\": \"0000",
    );
    let text = desk.fail(&["predict", "model", "images"]);
    assert!(
        text.contains("the model was trained on other features"),
        "{text}"
    );
    fs::write(desk.path("model/pipeline.json"), "{").unwrap();
    assert_snapshot!("model-corrupt", desk.fail(&["predict", "model", "images"]));
    assert_snapshot!("model-none", desk.fail(&["predict", "city", "images"]));

    let before = edit(
        "city/dataset.json",
        "\"format_version\": 1",
        "\"format_version\": 99",
    );
    assert_snapshot!("dataset-newer", desk.fail(&["featurize", "city"]));
    fs::write(desk.path("city/dataset.json"), before).unwrap();

    // One flipped byte in a part of features.
    let key = fs::read_dir(desk.path("city/features"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let part = fs::read_dir(&key)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "parquet")
        })
        .unwrap();
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&part, bytes).unwrap();
    let name = part
        .strip_prefix(desk.path("city/features"))
        .unwrap()
        .display()
        .to_string();
    let text = desk.fail(&["featurize", "city", "--backbone", &tiny]);
    assert_snapshot!("part-corrupt", text.replace(&name, "[part]"));
    // The hint works.
    fs::remove_file(&part).unwrap();
    let mended = desk.json(&["featurize", "city", "--backbone", &tiny]);
    assert!(super::number(&mended, "featurized") > 0);
}

#[test]
fn the_real_classes_are_suggested() {
    let Some(shared) = shared("open-images-metadata") else {
        return;
    };
    let desk = Desk::new();
    sparkles::demo::draw(sparkles::demo::Scene::Car, 40, 40, 1)
        .save(desk.path("a.png"))
        .unwrap();
    let labels = shared
        .join("derived-validation-imagelabels-from-bbox.csv")
        .display()
        .to_string();
    let classes = shared
        .join("class-descriptions-boxable.csv")
        .display()
        .to_string();
    let summary = desk.json(&[
        "ingest",
        "--images",
        "a.png",
        "--labels",
        &labels,
        "--classes",
        &classes,
        "--out",
        "d",
    ]);
    assert_eq!(summary["unknown_classes"], 0);
    let text = desk.fail(&[
        "train", "d", "--label", "Caar", "--label", "Tree", "--out", "m",
    ]);
    assert!(text.contains("closest: Car ("), "{text}");
}
