//! Datasets that change, models that meet other datasets, runs that fail.

use std::fs;

use serde_json::{Value, json};
use sparkles::demo::Scene;

use super::{Desk, number, tiny};

#[test]
fn a_folder_is_looked_at_each_time() {
    let desk = Desk::new();
    let tiny = tiny();
    let train = |out: &str| {
        let arguments = [
            "train",
            "p",
            "--backbone",
            &tiny,
            "--split",
            "1.0",
            "--out",
            out,
        ];
        desk.run(&[&arguments[..], &["--format", "json"]].concat())
    };
    let says = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();

    // No sub-folders, then one: an error that says so, and nothing is left behind.
    desk.draw("p", Scene::Car, 0..3);
    let flat = train("m");
    assert!(
        says(&flat).contains("lie in no sub-folder"),
        "{}",
        says(&flat)
    );
    desk.draw("p/car", Scene::Car, 0..3);
    let one = train("m");
    assert!(
        says(&one).contains("no other class than `car`"),
        "{}",
        says(&one)
    );
    assert!(
        says(&one).contains("hint: put the photos"),
        "{}",
        says(&one)
    );
    assert!(!desk.path("p.sparkles").exists() && !desk.path("m").exists());

    desk.draw("p/tree", Scene::Tree, 0..3);
    let first = train("m");
    assert!(first.status.success(), "{}", says(&first));
    let rows = |output: &std::process::Output| {
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        summary["label_counts"].clone()
    };
    assert_eq!(rows(&first), json!({"car": 3, "tree": 3}));

    // One more, one gone, one changed.
    desk.draw("p/car", Scene::Car, 3..5);
    fs::remove_file(desk.path("p/tree/0.png")).unwrap();
    fs::copy(desk.path("p/car/0.png"), desk.path("p/tree/1.png")).unwrap();
    let second = train("m2");
    assert!(second.status.success(), "{}", says(&second));
    assert_eq!(rows(&second), json!({"car": 5, "tree": 2}));
    // The features of what is gone are gone too.
    let explored = desk.json(&["explore", "p.sparkles"]);
    assert_eq!(explored["features"][0][1], 7);
    let again = desk.json(&["featurize", "p.sparkles", "--backbone", &tiny]);
    assert_eq!(number(&again, "reused"), 7);
    assert_eq!(number(&again, "featurized"), 3, "they lie in no sub-folder");
}

#[test]
fn a_dataset_of_ones_own_is_not_replaced_by_a_training_on_the_folder() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    fs::write(
        desk.path("labels.csv"),
        "path,label\np/car/0.png,red\np/car/1.png,blue\np/tree/0.png,red\n",
    )
    .unwrap();
    let arguments = [
        "--images",
        "p",
        "--labels",
        "labels.csv",
        "--out",
        "p.sparkles",
    ];
    desk.json(&[&["ingest"][..], &arguments].concat());
    let before = fs::read(desk.path("p.sparkles/dataset.json")).unwrap();
    let trained = desk.train("p", &["--split", "1.0", "--out", "m"]);
    assert_eq!(trained["label_counts"], json!({"red": 2, "blue": 1}));
    assert_eq!(
        fs::read(desk.path("p.sparkles/dataset.json")).unwrap(),
        before
    );
}

#[test]
fn an_update_keeps_what_still_holds() {
    let desk = Desk::new();
    let tiny = tiny();
    desk.draw("p/car", Scene::Car, 0..6);
    desk.draw("p/tree", Scene::Tree, 0..6);
    let ingest = ["ingest", "--images", "p", "--out", "d"];
    desk.json(&ingest);
    let refusal = desk.fail(&ingest);
    assert!(refusal.contains("already exists"), "{refusal}");
    let featurize = ["featurize", "d", "--backbone", &tiny];
    desk.json(&featurize);

    let update = [&ingest[..], &["--update"]].concat();
    let manifest = || fs::read_to_string(desk.path("d/dataset.json")).unwrap();
    let before = manifest();
    desk.json(&update);
    assert_eq!(manifest(), before, "nothing changed");

    desk.draw("p/car", Scene::Car, 6..8);
    fs::remove_file(desk.path("p/tree/5.png")).unwrap();
    let summary = desk.json(&update);
    assert_eq!(number(&summary, "samples"), 13);
    let featurized = desk.json(&featurize);
    assert_eq!(number(&featurized, "reused"), 11);
    assert_eq!(number(&featurized, "featurized"), 2);
    let tables = fs::read_dir(desk.path("d/samples")).unwrap().count();
    assert_eq!(tables, 1, "tables of before are gone");

    // An update that fails changes nothing.
    let before = manifest();
    fs::remove_dir_all(desk.path("p")).unwrap();
    fs::create_dir(desk.path("p")).unwrap();
    desk.fail(&update);
    assert_eq!(manifest(), before);
    desk.json(&["explore", "d"]);

    // Other ids: features bear them, so they are computed anew.
    fs::remove_dir(desk.path("p")).unwrap();
    desk.draw("p/car", Scene::Car, 0..2);
    let renamed = [&update[..], &["--id-pattern", "/(car/[0-9]+)"]].concat();
    desk.json(&renamed);
    let featurized = desk.json(&featurize);
    assert_eq!(number(&featurized, "reused"), 0);
}

#[test]
fn a_model_is_measured_on_datasets_that_call_its_labels_otherwise() {
    let desk = Desk::new();
    desk.city(60);
    let labels = ["--label", "Car", "--label", "Tree"];
    desk.train("city", &[&labels[..], &["--out", "m"]].concat());
    desk.train("city", &["--label", "Car", "--out", "one"]);
    let evaluate = |model: &str, dataset: &str| desk.json(&["evaluate", model, dataset]);
    let supports = |summary: &Value| -> Vec<(String, u64)> {
        let per_label = summary["per_label"].as_array().unwrap();
        let support = |label: &Value| {
            let name = label["label"].as_str().unwrap().to_owned();
            (name, number(label, "support"))
        };
        let mut supports: Vec<(String, u64)> = per_label.iter().map(support).collect();
        supports.sort();
        supports
    };
    let pairs = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        let owned = pairs.iter().map(|(name, rows)| ((*name).to_owned(), *rows));
        owned.collect()
    };

    // Folders in other case, and one that the model does not know.
    desk.draw("folders/CAR", Scene::Car, 10..14);
    desk.draw("folders/tree", Scene::Tree, 20..23);
    desk.draw("folders/house", Scene::Neither, 30..32);
    desk.json(&["ingest", "--images", "folders", "--out", "f"]);
    let summary = evaluate("m", "f");
    assert_eq!(summary["on"], "all");
    assert_eq!(supports(&summary), pairs(&[("Car", 4), ("Tree", 3)]));
    // Nothing says of trees that they are no cars.
    let summary = evaluate("one", "f");
    assert_eq!(supports(&summary), pairs(&[("Car", 4), ("not Car", 0)]));

    // Label names without readable names.
    desk.json(&[
        "ingest",
        "--images",
        "images",
        "--labels",
        "labels.csv",
        "--out",
        "machine",
    ]);
    let all = desk.json(&["evaluate", "m", "city", "--on", "all"]);
    let other = desk.json(&["evaluate", "m", "machine", "--on", "all"]);
    for field in ["rows", "accuracy", "log_loss", "confusion", "per_label"] {
        assert_eq!(all[field], other[field], "{field}");
    }

    // One of the labels is not there; then none.
    fs::remove_dir_all(desk.path("folders/tree")).unwrap();
    desk.json(&["ingest", "--images", "folders", "--out", "g"]);
    let summary = evaluate("m", "g");
    assert_eq!(supports(&summary), pairs(&[("Car", 4), ("Tree", 0)]));
    assert_eq!(summary["area_under_roc"], Value::Null);
    fs::remove_dir_all(desk.path("folders/CAR")).unwrap();
    desk.json(&["ingest", "--images", "folders", "--out", "h"]);
    insta::assert_snapshot!(
        "evaluate-no-shared-label",
        desk.fail(&["evaluate", "m", "h"])
    );

    // A model of all classes leaves out those that it does not know, and says so.
    desk.train("f", &["--split", "1.0", "--out", "all"]);
    desk.draw("more/car", Scene::Car, 10..12);
    desk.draw("more/boat", Scene::Neither, 1..4);
    desk.json(&["ingest", "--images", "more", "--out", "i"]);
    let summary = evaluate("all", "i");
    assert_eq!(number(&summary, "rows"), 2);
    assert_eq!(number(&summary, "left_out"), 3);
}

#[test]
fn what_was_held_back_stays_held_back_when_photos_are_added() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..20);
    desk.draw("p/tree", Scene::Tree, 0..20);
    let trained = desk.train("p", &["--out", "m"]);
    let held_back = number(&trained, "held_back");
    desk.draw("p/tree", Scene::Tree, 20..40);
    desk.json(&["ingest", "--images", "p", "--out", "p.sparkles", "--update"]);
    let evaluated = desk.json(&["evaluate", "m"]);
    assert_eq!(evaluated["on"], "test");
    let rows = number(&evaluated, "rows");
    assert!(
        rows > held_back && rows < 20,
        "{rows} rows, {held_back} before"
    );
}

#[test]
fn a_model_that_cannot_be_written_leaves_nothing() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    fs::create_dir_all(desk.path("m/README.md")).unwrap();
    fs::write(desk.path("m/weights.safetensors"), "of an interrupted run").unwrap();
    let refusal = desk.fail(&[
        "train",
        "p",
        "--backbone",
        &tiny(),
        "--split",
        "1.0",
        "--out",
        "m",
    ]);
    assert!(
        refusal.contains("cannot write `[desk]/m/README.md`"),
        "{refusal}"
    );
    assert!(!desk.path("m/weights.safetensors").exists());
}

#[test]
fn predict_goes_on_past_what_is_not_there() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    desk.train("p", &["--split", "1.0", "--out", "m"]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", desk.path("p/car/00.png")).unwrap();
    let lines = desk.succeed(&[
        "predict",
        "m",
        "p/tree/1.png",
        "p/none.png",
        "p/car",
        "--format",
        "json",
    ]);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let locations: Vec<&str> = lines
        .iter()
        .map(|line| line["location"].as_str().unwrap())
        .collect();
    assert!(locations.is_sorted(), "{locations:?}");
    let reasons: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["error"]["reason"].as_str())
        .collect();
    assert_eq!(lines.len() - reasons.len(), 4);
    assert!(
        reasons.iter().all(|reason| *reason == "missing"),
        "{reasons:?}"
    );

    let none = desk.run(&["predict", "m", "p/none.png", "p/never.png"]);
    assert_eq!(none.status.code(), Some(1));
    let lines = String::from_utf8(none.stdout).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    fs::write(desk.path("notes.txt"), "words").unwrap();
    let refused = desk.run(&["predict", "m", "notes.txt"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!refused.stdout.is_empty(), "it has its line nevertheless");
}

#[test]
fn writers_take_turns() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..12);
    desk.draw("p/tree", Scene::Tree, 0..12);
    let folders = |name: &str| desk.path(name).display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = desk.command(arguments);
        command.stdout(std::process::Stdio::null());
        command
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    // Two at once: each is done, or says that another is at work; what is there
    // afterwards is whole.
    let mut done = 0;
    for round in 0..6 {
        let classes = if round % 2 == 0 { "car" } else { "tree" };
        let other = folders(&format!("p/{classes}"));
        let first = run(&["ingest", "--images", "p", "--out", "d", "--update"]);
        let second = run(&["ingest", "--images", &other, "--out", "d", "--update"]);
        for child in [first, second] {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let is_locked = said.contains("another process is writing");
            assert!(output.status.success() || is_locked, "{said}");
            done += u32::from(output.status.success());
        }
        desk.json(&["explore", "d"]);
        let tables = |name: &str| fs::read_dir(desk.path("d").join(name)).unwrap().count();
        assert_eq!(tables("samples"), 1);
    }
    assert!(done >= 6, "{done} of 12");
    assert!(!desk.path("d/.lock").exists());
}

#[test]
fn what_a_killed_update_left_is_removed() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    let ingest = ["ingest", "--images", "p", "--out", "d", "--update"];
    desk.json(&ingest);
    for name in [
        "labels/0123456789abcdef.parquet",
        "labels/0123456789abcdef.parquet#1",
        "classes.parquet#1",
        "classes-0123456789abcdef.parquet",
        "dataset.json#1",
        ".lock",
    ] {
        fs::write(desk.path("d").join(name), "half").unwrap();
    }
    // New classes do not touch the file of the old ones until they are there.
    desk.draw("p/house", Scene::Neither, 0..3);
    desk.json(&ingest);
    let mut names: Vec<String> = fs::read_dir(desk.path("d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("classes-"))
        .collect();
    names.sort();
    assert_eq!(names, ["dataset.json", "labels", "samples"]);
    assert_eq!(fs::read_dir(desk.path("d/labels")).unwrap().count(), 1);
    let trained = desk.train("d", &["--split", "1.0", "--out", "m"]);
    assert_eq!(number(&trained, "classes"), 3);
}

#[test]
fn what_a_model_has_learned_from_is_not_held_back() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..20);
    desk.draw("p/tree", Scene::Tree, 0..20);
    let trained = desk.train("p", &["--out", "m"]);
    let rows = number(&trained, "rows");

    // The same photos under other ids, in the same place and elsewhere.
    desk.draw("more/car", Scene::Car, 50..60);
    let images = ["ingest", "--images", "p", "more", "--out"];
    desk.json(&[&images[..], &["p.sparkles", "--update"]].concat());
    let evaluated = desk.json(&["evaluate", "m"]);
    assert_eq!(evaluated["on"], "test");
    let held_back = number(&trained, "held_back");
    assert!(number(&evaluated, "rows") <= held_back + 10);
    assert!(number(&evaluated, "learned_from") > 0);

    desk.json(&[&images[..], &["elsewhere"]].concat());
    let evaluated = desk.json(&["evaluate", "m", "elsewhere"]);
    assert_eq!(evaluated["on"], "all");
    assert_eq!(number(&evaluated, "rows"), 50);
    assert_eq!(number(&evaluated, "learned_from"), rows);
    let text = desk.succeed(&["evaluate", "m", "elsewhere"]);
    assert!(text.contains("the model has learned from"), "{text}");
}
