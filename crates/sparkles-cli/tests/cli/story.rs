//! The whole story, in each of the formats that labels come in.

use std::fs;

use serde_json::Value;

use super::{Desk, number, tiny};

#[test]
fn open_images_formats_from_photos_to_predictions() {
    let desk = Desk::new();
    let (collection, ingested) = desk.city(80);
    assert_eq!(number(&ingested, "found"), collection.pictures as u64);
    assert_eq!(
        number(&ingested, "found"),
        number(&ingested, "samples") + number(&ingested, "rejected")
    );
    assert_eq!(number(&ingested, "labels"), collection.label_rows as u64);
    assert_eq!(
        number(&ingested, "doubled_ids"),
        collection.doubled_ids as u64
    );
    assert_eq!(
        number(&ingested, "doubled_labels"),
        collection.doubled_rows as u64
    );
    assert_eq!(
        number(&ingested, "without_photo"),
        collection.without_photo as u64
    );
    assert_eq!(
        number(&ingested, "unlabelled"),
        collection.unlabelled as u64
    );
    assert_eq!(number(&ingested, "unknown_classes"), 1);

    let explored = desk.json(&["explore", "city", "--label", "Car", "--label", "Tree"]);
    let together = &explored["co_occurrence"];
    assert_eq!(together["labels"], serde_json::json!(["Car", "Tree"]));
    assert_eq!(together["counts"][0][1], together["counts"][1][0]);
    assert!(together["counts"][0][1].as_u64().unwrap() > 0);

    let tiny = tiny();
    let featurized = desk.json(&["featurize", "city", "--backbone", &tiny]);
    assert_eq!(number(&featurized, "samples"), number(&ingested, "samples"));
    assert_eq!(
        number(&featurized, "samples"),
        number(&featurized, "featurized") + number(&featurized, "rejected")
    );
    assert_eq!(number(&featurized, "dimension"), 16);
    let again = desk.json(&["featurize", "city", "--backbone", &tiny]);
    assert_eq!(number(&again, "reused"), number(&featurized, "featurized"));
    assert_eq!(number(&again, "featurized"), 0);
    assert_eq!(
        again["rejected_by_reason"],
        featurized["rejected_by_reason"]
    );

    let trained = desk.json(&[
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
    let counts = trained["label_counts"].as_object().unwrap();
    let rows: u64 = counts.values().filter_map(Value::as_u64).sum();
    assert_eq!(rows, number(&trained, "rows"));
    assert_eq!(number(&trained, "classes"), 2);
    assert!(trained["converged"].as_bool().unwrap());
    assert!(
        trained["dropped_by_reason"]["several_labels"]
            .as_u64()
            .unwrap()
            > 0
    );

    let evaluated = desk.json(&["evaluate", "model", "--predictions", "rows.csv"]);
    assert_eq!(evaluated["on"], "test");
    assert_eq!(number(&evaluated, "rows"), number(&trained, "held_back"));
    let cells: u64 = evaluated["confusion"]["counts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(cells, number(&evaluated, "rows"));
    let csv = fs::read_to_string(desk.path("rows.csv")).unwrap();
    assert_eq!(csv.lines().count() as u64, number(&evaluated, "rows") + 1);

    // Every input has its line, in order, broken ones too.
    let lines = desk.succeed(&["predict", "model", "images", "--format", "json"]);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), collection.pictures);
    for line in &lines {
        assert!(line["location"].is_string());
        match line.get("probability") {
            Some(probability) => {
                let sum: f64 = probability
                    .as_object()
                    .unwrap()
                    .values()
                    .filter_map(Value::as_f64)
                    .sum();
                assert!((sum - 1.0).abs() < 1e-9);
                assert!(
                    probability
                        .get(line["prediction"].as_str().unwrap())
                        .is_some()
                );
            }
            None => assert!(line["error"]["reason"].is_string()),
        }
    }
    let locations: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["location"].as_str())
        .collect();
    assert!(locations.is_sorted());
    let refused = lines
        .iter()
        .filter(|line| line.get("error").is_some())
        .count() as u64;
    assert_eq!(
        refused,
        number(&ingested, "rejected") + number(&featurized, "rejected")
    );
}

#[test]
fn a_folder_a_class_in_one_step_and_a_model_that_travels() {
    let desk = Desk::new();
    for (class, scene) in [
        ("car", sparkles::demo::Scene::Car),
        ("tree", sparkles::demo::Scene::Tree),
    ] {
        fs::create_dir_all(desk.path("photos").join(class)).unwrap();
        for seed in 0..15 {
            sparkles::demo::draw(scene, 64, 48, seed)
                .save(desk.path("photos").join(class).join(format!("{seed}.png")))
                .unwrap();
        }
    }
    let trained = desk.json(&[
        "train",
        "photos",
        "--backbone",
        &tiny(),
        "--out",
        "first.model",
    ]);
    assert_eq!(trained["label_counts"].as_object().unwrap().len(), 2);
    let before = desk.succeed(&["predict", "first.model", "photos/car", "--format", "csv"]);

    // Nothing but the model is left.
    fs::remove_dir_all(desk.path("photos.sparkles")).unwrap();
    fs::rename(desk.path("first.model"), desk.path("elsewhere")).unwrap();
    let after = desk.succeed(&["predict", "elsewhere", "photos/car", "--format", "csv"]);
    assert_eq!(before, after);
    assert!(after.starts_with("location,sample_id,prediction,error,probability "));
}

#[test]
fn a_table_of_locations_and_labels() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("p")).unwrap();
    let mut rows = vec!["path;Species".to_owned()];
    for seed in 0..6u32 {
        let name = format!("p/{seed}.png");
        sparkles::demo::draw(sparkles::demo::Scene::Car, 40, 40, u64::from(seed))
            .save(desk.path(&name))
            .unwrap();
        let species = if seed % 2 == 0 { "even" } else { "odd, too" };
        rows.push(format!("{name};{species}"));
    }
    rows.extend(["p/gone.png;even".to_owned(), ";even".to_owned()]);
    fs::write(desk.path("table.csv"), rows.join("\n")).unwrap();
    let summary = desk.json(&[
        "ingest",
        "--labels",
        "table.csv",
        "--label-column",
        "Species",
        "--out",
        "dataset",
    ]);
    assert_eq!(number(&summary, "found"), 7);
    assert_eq!(number(&summary, "samples"), 6);
    assert_eq!(number(&summary, "rejected"), 1);
    assert_eq!(number(&summary, "labels"), 7);
    assert_eq!(number(&summary, "classes"), 2);
    assert_eq!(number(&summary, "rejected_labels"), 1);
    assert_eq!(number(&summary, "unlabelled"), 0);
}

#[test]
fn one_label_is_present_against_verified_absent() {
    let desk = Desk::new();
    let (_, _) = desk.city(80);
    let tiny = tiny();
    let trained = desk.json(&[
        "train",
        "city",
        "--label",
        "car",
        "--backbone",
        &tiny,
        "--out",
        "model",
    ]);
    let labels: Vec<&String> = trained["label_counts"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(labels, ["Car", "not Car"]);
    let evaluated = desk.json(&["evaluate", "model"]);
    assert_eq!(evaluated["positive_label"], "Car");
    assert_eq!(
        evaluated["confusion"]["labels"],
        serde_json::json!(["not Car", "Car"])
    );

    // `keep` is what a join does: a photo of both is a row of each.
    let joined = desk.json(&[
        "train",
        "city",
        "--label",
        "Car",
        "--label",
        "Tree",
        "--both",
        "keep",
        "--backbone",
        &tiny,
        "--split",
        "1.0",
        "--out",
        "joined",
    ]);
    let dropped = desk.json(&[
        "train",
        "city",
        "--label",
        "Car",
        "--label",
        "Tree",
        "--backbone",
        &tiny,
        "--split",
        "1.0",
        "--out",
        "dropped",
    ]);
    let several = number(&dropped["dropped_by_reason"], "several_labels");
    assert!(several > 0);
    // Rejected photos are dropped in both; rows of both labels are there twice.
    assert!(number(&joined, "rows") > number(&dropped, "rows"));
    assert!(number(&joined, "rows") <= number(&dropped, "rows") + 2 * several);
}

#[test]
fn the_demo_tells_it_all() {
    let desk = Desk::new();
    let text = desk.succeed(&["demo", "--pictures", "60", "--out", "d"]);
    for step in [
        "ingest",
        "explore",
        "featurize",
        "train",
        "evaluate",
        "predict",
    ] {
        assert!(text.contains(&format!("$ sparkles {step} ")), "{step}");
    }
    assert!(text.contains("They are drawings"));
    assert!(desk.path("d/car-tree.model/pipeline.json").exists());
    // It may be run again, but replaces nothing that it has not made.
    fs::create_dir(desk.path("mine")).unwrap();
    let refusal = desk.fail(&["demo", "--pictures", "60", "--out", "mine"]);
    assert!(refusal.contains("was not made by the demo"), "{refusal}");
}

#[cfg(feature = "sql")]
#[test]
fn tables_answer_in_sql() {
    let desk = Desk::new();
    let (_, ingested) = desk.city(50);
    desk.succeed(&["featurize", "city", "--backbone", &tiny()]);
    let one = |query: &str| {
        let text = desk.succeed(&["sql", "city", query, "--format", "csv"]);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        one("SELECT count(*) FROM samples"),
        number(&ingested, "samples").to_string()
    );
    assert_eq!(
        one("SELECT count(*) FROM labels"),
        number(&ingested, "labels").to_string()
    );
    assert_eq!(
        one("SELECT count(*) FROM samples"),
        one("SELECT (SELECT count(*) FROM features) + \
             (SELECT count(*) FROM rejects WHERE stage = 'featurize')")
    );
    // Pixels are rows of blue, green and red, in hexadecimal here.
    let query = "SELECT height, width, nChannels, mode, data FROM images WHERE data IS NOT NULL";
    let text = desk.succeed(&["sql", "city", query, "--format", "json"]);
    assert!(text.lines().count() > 30);
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let bytes = number(&row, "height") * number(&row, "width") * number(&row, "nChannels");
        assert_eq!(row["data"].as_str().unwrap().len() as u64, 2 * bytes);
        assert_eq!(
            number(&row, "mode"),
            if number(&row, "nChannels") == 1 {
                0
            } else {
                16
            }
        );
    }
    let car = one("SELECT display_name FROM labelled WHERE label_name = '/m/0k4j' LIMIT 1");
    assert_eq!(car, "Car");
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let desk = Desk::new();
    desk.city(50);
    desk.succeed(&[
        "train",
        "city",
        "--label",
        "Car",
        "--label",
        "Tree",
        "--backbone",
        &tiny(),
        "--out",
        "model",
    ]);
    let mut child = desk
        .command(&["predict", "model", "images", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
