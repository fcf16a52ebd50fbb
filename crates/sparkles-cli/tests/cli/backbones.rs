//! Backbones by name and by file, and models that carry them.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sparkles::demo::Scene;

use super::{Desk, number, shared, tiny};

/// The program with a folder of its own for pulled backbones.
fn json(desk: &Desk, arguments: &[&str]) -> Value {
    let mut command = desk.command(arguments);
    command.args(["--format", "json"]);
    command.env("SPARKLES_HOME", desk.path("home"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn fail(desk: &Desk, arguments: &[&str]) -> String {
    let mut command = desk.command(arguments);
    command.env("SPARKLES_HOME", desk.path("home"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    said.replace(&desk.path("").display().to_string(), "[desk]/")
}

#[test]
fn a_pulled_backbone_from_its_name_to_a_model_that_travels() {
    let desk = Desk::new();
    insta::assert_snapshot!(
        "backbone-not-pulled",
        fail(&desk, &["backbone", "check", "resnet50"])
    );
    let pulled = json(&desk, &["backbone", "pull", "resnet50", "--random", "5"]);
    assert_eq!(number(&pulled, "dimension"), 2048);
    assert_eq!(pulled["weights_sha256"], Value::Null);
    insta::assert_snapshot!(
        "backbone-exists",
        fail(&desk, &["backbone", "pull", "resnet50", "--random", "5"])
    );
    let listed = json(&desk, &["backbone", "list"]);
    let states: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(states[0], ("efficientnet_lite0", "embedded"));
    assert!(states.contains(&("resnet50", "pulled")));
    assert!(states.contains(&("vgg19", "not pulled")));
    assert_eq!(
        json(&desk, &["backbone", "check", "resnet50"])["agrees"],
        true
    );
    let inspected = json(&desk, &["backbone", "inspect", "resnet50"]);
    assert_eq!(number(&inspected, "multiply_adds"), 4_089_184_256);
    assert_eq!(inspected["card"]["name"], "resnet50");

    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    let arguments = [
        "train",
        "p",
        "--split",
        "1.0",
        "--backbone",
        "resnet50",
        "--out",
        "m",
    ];
    let trained = json(&desk, &arguments);
    assert_eq!(trained["backbone"], "resnet50");
    // Elsewhere there is no such backbone; the model brings it.
    fs::remove_dir_all(desk.path("home")).unwrap();
    let lines = desk.succeed(&["predict", "m", "p/car", "--format", "json"]);
    assert_eq!(
        lines
            .lines()
            .filter(|line| line.contains("probability"))
            .count(),
        3
    );
}

#[test]
fn a_file_of_ones_own_is_cut_and_used() {
    let desk = Desk::new();
    let bare = Path::new(&tiny()).with_file_name("tiny_without_card.onnx");
    let bare = bare.display().to_string();
    let cut = ["backbone", "cut", &bare, "--out", "mine.onnx"];
    let refusal = fail(&desk, &cut).replace(&bare, "[bare]");
    insta::assert_snapshot!("backbone-no-preprocessing", refusal);
    let flags = [
        "--preset",
        "torchvision",
        "--name",
        "mine",
        "--mean",
        "0.5",
        "--std",
        "0.25",
    ];
    let made = json(&desk, &[&cut[..], &flags].concat());
    assert_eq!(made["name"], "mine");
    let inspected = json(&desk, &["backbone", "inspect", "mine.onnx"]);
    assert_eq!(
        inspected["card"]["mean"],
        serde_json::json!([0.5, 0.5, 0.5])
    );
    assert_eq!(
        json(&desk, &["backbone", "check", "mine.onnx"])["agrees"],
        true
    );
    let text = desk.succeed(&["backbone", "inspect", "mine.onnx", "--values"]);
    assert!(
        text.contains("Operators: ") && text.contains("GlobalAveragePool"),
        "{text}"
    );

    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    let trained = desk.json(&[
        "train",
        "p",
        "--split",
        "1.0",
        "--backbone",
        "mine.onnx",
        "--out",
        "m",
    ]);
    assert_eq!(trained["backbone"], "mine");
    let flat = json(
        &desk,
        &[
            "backbone",
            "cut",
            "mine.onnx",
            "--pooling",
            "none",
            "--out",
            "flat.onnx",
        ],
    );
    assert!(number(&flat, "dimension") > number(&made, "dimension"));
}

#[test]
fn files_of_others_are_cut_inspected_and_used() {
    let Some(folder) = shared("backbones") else {
        return;
    };
    let desk = Desk::new();
    desk.draw("p", Scene::Car, 0..3);
    desk.json(&["ingest", "--images", "p", "--out", "d"]);
    // Preprocessing as the folder's own README gives it; one file carries its card.
    let preset = ["--preset", "keras-tf", "--mean", "128", "--std", "128"];
    let crop = ["--resize-filter", "bicubic", "--resize-policy", "crop"];
    for (name, flags) in [
        ("qat_f32_features", [&preset[..], &crop].concat()),
        ("qat_f32_imagenet", [&preset[..], &crop].concat()),
        ("uint8", Vec::new()),
    ] {
        let stem = format!("mobilenet_v2_1.0_224_{name}");
        let file = folder.join(format!("{stem}.onnx")).display().to_string();
        let out = format!("{name}.onnx");
        let cut = [
            "backbone", "cut", &file, "--output", "features", "--out", &out,
        ];
        let made = json(&desk, &[&cut[..], &flags].concat());
        assert_eq!(number(&made, "dimension"), 1280, "{name}");
        let inspected = json(&desk, &["backbone", "inspect", &out, "--batch", "2"]);
        assert_eq!(inspected["unsupported"], serde_json::json!([]), "{name}");
        assert!(number(&inspected, "memory_bytes") > number(&inspected, "activation_bytes"));
        // The numbers of the file's own check, which another engine made.
        let check = fs::read(folder.join(format!("{stem}_check.json"))).unwrap();
        let check: Value = serde_json::from_slice(&check).unwrap();
        let checked = json(&desk, &["backbone", "check", &out]);
        let norm = checked["found"]["norm"].as_f64().unwrap();
        for (at, expected) in check["features_first_16"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            let found = checked["found"]["head"][at].as_f64().unwrap();
            let off = (found - expected.as_f64().unwrap()).abs();
            assert!(off <= 1e-4 * norm, "{name}, feature {at}: {found}");
        }
        let featurized = json(&desk, &["featurize", "d", "--backbone", &out]);
        assert_eq!(number(&featurized, "featurized"), 3, "{name}");
    }
}

#[test]
fn files_that_lie_are_refused() {
    let desk = Desk::new();
    fs::write(desk.path("text.onnx"), "not an ONNX file").unwrap();
    let whole = fs::read(tiny()).unwrap();
    fs::write(desk.path("half.onnx"), &whole[..whole.len() / 2]).unwrap();
    fs::write(desk.path("w.safetensors"), "not weights").unwrap();
    for arguments in [
        &["backbone", "inspect", "text.onnx"][..],
        &["backbone", "inspect", "half.onnx"],
        &[
            "backbone",
            "cut",
            "text.onnx",
            "--preset",
            "torchvision",
            "--out",
            "x.onnx",
        ],
        &["backbone", "pull", "vgg16", "--from", "w.safetensors"],
        &["backbone", "inspect", "gone.onnx"],
        &["backbone", "inspect", "resnet"],
    ] {
        let said = fail(&desk, arguments);
        assert!(said.starts_with("error: cannot "), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    assert!(!desk.path("x.onnx").exists() && !desk.path("home").exists());
}
