//! The same result every time: threads, parts and interruptions change no bit.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use super::{Desk, number, tiny};

/// The files of features by name, after compaction.
fn features(dataset: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for key in fs::read_dir(dataset.join("features")).unwrap() {
        for file in fs::read_dir(key.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "parquet")
            {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn threads_and_parts_change_no_bit() {
    let desk = Desk::new();
    desk.city(60);
    let tiny = tiny();
    let mut seen = None;
    for (threads, part_rows) in [("1", "256"), ("2", "256"), ("2", "7"), ("1", "1")] {
        let _ = fs::remove_dir_all(desk.path("city/features"));
        let _ = fs::remove_dir_all(desk.path("model"));
        desk.succeed(&[
            "featurize",
            "city",
            "--backbone",
            &tiny,
            "--threads",
            threads,
            "--part-rows",
            part_rows,
        ]);
        desk.succeed(&[
            "train",
            "city",
            "--label",
            "Car",
            "--label",
            "Tree",
            "--backbone",
            &tiny,
            "--threads",
            threads,
            "--out",
            "model",
        ]);
        let now = (
            features(&desk.path("city")),
            fs::read(desk.path("model/weights.safetensors")).unwrap(),
        );
        assert!(!now.0.is_empty());
        match &seen {
            Some(before) => assert!(*before == now, "{threads} threads, parts of {part_rows}"),
            None => seen = Some(now),
        }
    }
}

#[test]
fn a_killed_run_goes_on_where_it_ended() {
    let desk = Desk::new();
    let (_, ingested) = desk.city(120);
    let tiny = tiny();
    let arguments = [
        "featurize",
        "city",
        "--backbone",
        &tiny,
        "--threads",
        "1",
        "--part-rows",
        "4",
    ];
    let undisturbed = desk.json(&arguments);
    let expected = features(&desk.path("city"));
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
        "a",
    ]);
    let seconds = undisturbed["seconds"].as_f64().unwrap();

    let mut reused_some = 0;
    for moment in 1..=10u32 {
        fs::remove_dir_all(desk.path("city/features")).unwrap();
        for entry in fs::read_dir(desk.path("city/rejects")).unwrap() {
            let path = entry.unwrap().path();
            // Those of ingest have no feature key in their name.
            if path.file_name().unwrap().to_string_lossy().contains('-') {
                fs::remove_file(path).unwrap();
            }
        }
        let mut child = desk
            .command(&arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Ten moments spread over the run, wherever in a part they fall.
        sleep(Duration::from_secs_f64(seconds * f64::from(moment) * 0.09));
        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = desk.json(&arguments);
        assert_eq!(number(&resumed, "samples"), number(&ingested, "samples"));
        assert_eq!(
            resumed["rejected_by_reason"],
            undisturbed["rejected_by_reason"]
        );
        assert_eq!(
            number(&resumed, "featurized") + number(&resumed, "reused"),
            number(&undisturbed, "featurized")
        );
        assert!(
            features(&desk.path("city")) == expected,
            "killed at moment {moment}"
        );
        reused_some += u32::from(number(&resumed, "reused") > 0);
    }
    assert!(
        reused_some >= 5,
        "only {reused_some} of ten runs found anything to reuse"
    );
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
        "b",
    ]);
    assert_eq!(
        fs::read(desk.path("a/weights.safetensors")).unwrap(),
        fs::read(desk.path("b/weights.safetensors")).unwrap()
    );
}

#[test]
fn a_photo_that_changed_is_computed_anew() {
    let desk = Desk::new();
    let (_, ingested) = desk.city(40);
    let tiny = tiny();
    let first = desk.json(&["featurize", "city", "--backbone", &tiny]);
    let photo = fs::read_dir(desk.path("images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .min()
        .unwrap();
    sparkles::demo::draw(sparkles::demo::Scene::Both, 50, 50, 1)
        .save_with_format(&photo, image::ImageFormat::Png)
        .unwrap();
    let second = desk.json(&["featurize", "city", "--backbone", &tiny]);
    assert!(number(&second, "featurized") <= 1);
    assert_eq!(number(&second, "samples"), number(&ingested, "samples"));
    assert!(number(&second, "reused") + 1 >= number(&first, "featurized"));
    // Photos that are gone keep their features: nothing contradicts them.
    fs::remove_dir_all(desk.path("images")).unwrap();
    let third = desk.json(&["featurize", "city", "--backbone", &tiny]);
    assert_eq!(number(&third, "featurized"), 0);
}
