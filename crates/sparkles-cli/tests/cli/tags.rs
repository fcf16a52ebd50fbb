//! The backbone's own classes, and models as one file for other programs.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use sparkles::demo::Scene;

use super::{Desk, shared, tiny};

/// The objects of JSON lines by folder and name of their files: `p/0.png`.
fn by_name(lines: &str) -> BTreeMap<String, Value> {
    let rows = lines.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let location = row["location"].as_str().unwrap();
        let mut slashes = location.rmatch_indices('/');
        let name = &location[slashes.nth(1).map_or(0, |found| found.0 + 1)..];
        (name.to_owned(), row)
    });
    rows.collect()
}

#[test]
fn photos_are_tagged_without_training_and_in_queries() {
    let desk = Desk::new();
    desk.draw("p", Scene::Car, 0..3);
    fs::write(desk.path("p/broken.jpg"), b"\xff\xd8 no photo").unwrap();
    let tagged = desk.run(&["tag", "p", "--format", "json"]);
    assert!(tagged.status.success());
    let said = String::from_utf8(tagged.stderr).unwrap();
    assert!(said.contains("1 refused of 4 files"), "{said}");
    let rows = by_name(&String::from_utf8(tagged.stdout).unwrap());
    assert_eq!(rows["p/broken.jpg"]["error"]["reason"], "truncated");
    let tags = rows["p/0.png"]["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 5);
    let probability = |tag: &Value| tag["probability"].as_f64().unwrap();
    assert!(tags.is_sorted_by(|a, b| probability(a) >= probability(b)));
    assert!(tags.iter().map(probability).sum::<f64>() <= 1.0);
    let wordnet = tags[0]["wordnet_id"].as_str().unwrap();
    assert!(wordnet.len() == 9 && wordnet.starts_with('n'), "{wordnet}");

    let csv = desk.succeed(&["tag", "p", "--top", "2", "--format", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "location,rank,class_index,class,wordnet_id,probability,error"
    );
    assert_eq!(lines.len(), 1 + 3 * 2 + 1);
    let text = desk.succeed(&["tag", "p/0.png", "--top", "1"]);
    assert!(text.contains(tags[0]["class"].as_str().unwrap()), "{text}");

    // A backbone of one's own names its classes itself.
    fs::write(desk.path("names.txt"), "kind 0\nkind 1\nkind 2\nkind 3\n").unwrap();
    let cut = ["backbone", "cut", &tiny(), "--classes", "names.txt"];
    let cut = [&cut[..], &["--out", "mine.onnx"]].concat();
    desk.json(&cut);
    let text = desk.succeed(&["tag", "p/0.png", "--backbone", "mine.onnx"]);
    assert!(text.contains("kind "), "{text}");

    #[cfg(feature = "sql")]
    {
        desk.json(&["ingest", "--images", "p", "--out", "d"]);
        desk.json(&["featurize", "d"]);
        let query = "SELECT location, tag(location) AS tag, features(location) = f.features AS same
            FROM samples JOIN features f USING (location)";
        let found = by_name(&desk.succeed(&["sql", "d", query, "--format", "json"]));
        assert_eq!(found.len(), 3);
        for (name, row) in found {
            assert_eq!(row["tag"], rows[&name]["tags"][0]["class"]);
            assert_eq!(row["same"], true);
        }
        // A row without a photo has neither.
        let broken = desk.path("p/broken.jpg").display().to_string();
        let query = format!("SELECT tag('{broken}') AS tag, features('{broken}') AS features");
        let none = desk.succeed(&["sql", "d", &query, "--format", "json"]);
        assert_eq!(none.trim(), r#"{"tag":null,"features":null}"#);
        let query = "SELECT tag(location) FROM samples";
        let said = desk.fail(&["sql", "d", query, "--backbone", "vgg16"]);
        insta::assert_snapshot!("sql-backbone-not-pulled", said);
    }
}

#[test]
fn tags_of_real_photos_are_right() {
    let Some(folder) = shared("imagenet-sample") else {
        return;
    };
    let desk = Desk::new();
    let photos = folder.display().to_string();
    let rows = by_name(&desk.succeed(&["tag", &photos, "--format", "json"]));
    let classes = fs::read_to_string(folder.join("classes.csv")).unwrap();
    let right = classes.lines().skip(1).filter(|line| {
        let (file, index) = line.rsplit_once(',').unwrap();
        let best = &rows[&format!("imagenet-sample/{file}")]["tags"][0];
        // The file's name begins with the id.
        let is_right = best["class_index"] == index.parse::<u64>().unwrap();
        assert_eq!(
            is_right,
            file.starts_with(best["wordnet_id"].as_str().unwrap())
        );
        is_right
    });
    assert_eq!(right.count(), 112);
}

#[test]
fn a_model_becomes_one_file_with_the_same_answers() {
    let desk = Desk::new();
    for (at, scene) in [Scene::Car, Scene::Tree, Scene::Neither]
        .into_iter()
        .enumerate()
    {
        desk.draw(&format!("two/{}", at.min(1)), scene, 0..6);
        desk.draw(&format!("three/{at}"), scene, 0..6);
    }
    // Binomial and multinomial.
    for data in ["two", "three"] {
        let model = format!("{data}.model");
        desk.train(data, &["--split", "1.0", "--out", &model]);
        let file = format!("{data}.onnx");
        let exported = desk.json(&["model", "export", &model, "--to", "onnx", "--out", &file]);
        let labels = exported["labels"].as_array().unwrap().clone();
        let predicted = by_name(&desk.succeed(&["predict", &model, data, "--format", "json"]));
        let said = desk.fail(&["model", "export", &model, "--out", &file]);
        assert!(said.contains("exists"), "{said}");

        // Its probabilities as the features of a backbone.
        let scores = format!("{data}-scores.onnx");
        desk.json(&[
            "backbone",
            "cut",
            &file,
            "--output",
            "probability",
            "--out",
            &scores,
        ]);
        let dataset = format!("{data}.scores");
        desk.json(&["ingest", "--images", data, "--out", &dataset]);
        desk.json(&["featurize", &dataset, "--backbone", &scores]);
        #[cfg(feature = "sql")]
        {
            let query = "SELECT location, features FROM features";
            let rows = desk.succeed(&["sql", &dataset, query, "--format", "json"]);
            let scored = by_name(&rows);
            assert_eq!(scored.len(), predicted.len());
            for (name, row) in scored {
                for (at, label) in labels.iter().enumerate() {
                    let there = row["features"][at].as_f64().unwrap();
                    let here = &predicted[&name]["probability"][label.as_str().unwrap()];
                    assert!((there - here.as_f64().unwrap()).abs() < 1e-5, "{name}");
                }
            }
        }
        #[cfg(not(feature = "sql"))]
        let _ = (labels, predicted);
    }
}
