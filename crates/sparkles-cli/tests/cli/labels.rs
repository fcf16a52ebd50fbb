//! Label files as the world writes them.

use std::fs;

use serde_json::json;
use sparkles::demo::Scene;

use super::{Desk, number, tiny};

const HEADER: &str = "ImageID,Source,LabelName,Confidence\n";

fn with_photos() -> Desk {
    let desk = Desk::new();
    desk.draw("p", Scene::Car, 0..4);
    fs::write(desk.path("p/broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    desk
}

#[test]
fn oddities_are_counted_and_named() {
    let desk = with_photos();
    let rows = "0,v,/m/a,1\n0,v,/m/a,1\n0,v,/m/a,0\n1,v,/m/a,0\n1,v,/m/b,1\n2,m,/m/b,0.7\n\
                broken,v,/m/a,1\ngone,v,/m/b,1\n\n3,v,/m/a,2\n";
    fs::write(desk.path("l.csv"), format!("{HEADER}{rows}")).unwrap();
    fs::write(
        desk.path("list.txt"),
        "p/0.png\np/1.png\np/2.png\np/3.png\np/broken.png\np/gone.png\n",
    )
    .unwrap();
    let ingest = |images: &str, out: &str| {
        desk.json(&[
            "ingest", "--images", images, "--labels", "l.csv", "--out", out,
        ])
    };
    for (images, out) in [("p", "d"), ("list.txt", "e")] {
        let summary = ingest(images, out);
        for (name, expected) in [
            ("samples", 4),
            ("labels", 8),
            ("doubled_labels", 1),
            ("contradictory_labels", 1),
            ("rejected_labels", 1),
            // The broken one is there; the one that is named but gone is not.
            ("without_photo", 1),
            ("unlabelled", 1),
        ] {
            assert_eq!(number(&summary, name), expected, "{images}: {name}");
        }
        assert_eq!(summary["contradictory_examples"], json!(["0"]));
        assert_eq!(summary["without_photo_examples"], json!(["gone"]));
        assert_eq!(summary["top_classes"], json!([["/m/a", 2], ["/m/b", 2]]));
    }
    let explored = desk.json(&["explore", "d"]);
    let class = |name: &str| {
        let classes = explored["classes"].as_array().unwrap();
        classes
            .iter()
            .find(|class| class["label_name"] == name)
            .unwrap()
    };
    assert_eq!(number(class("/m/a"), "refused"), 1);
    assert_eq!(number(class("/m/a"), "without_photo"), 0);
    assert_eq!(number(class("/m/b"), "without_photo"), 1);
    assert_eq!(number(class("/m/b"), "machine_made"), 1);
    if cfg!(feature = "sql") {
        let message = desk.succeed(&[
            "sql",
            "d",
            "SELECT message FROM rejects WHERE reason = 'bad_label_row'",
            "--format",
            "csv",
        ]);
        assert!(message.contains("line 11: confidence `2`"), "{message}");
    }
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for ending in ["\n", "\r\n"] {
        let desk = with_photos();
        let mut text = format!("{HEADER}0,v,/m/a,1\n").into_bytes();
        text.extend(b"1,v,\xff,1\n2,v,/m/a,x\n,v,/m/a,1\n");
        let text: Vec<u8> = text
            .split(|&byte| byte == b'\n')
            .collect::<Vec<_>>()
            .join(ending.as_bytes());
        fs::write(desk.path("l.csv"), text).unwrap();
        let summary = desk.json(&["ingest", "--images", "p", "--labels", "l.csv", "--out", "d"]);
        assert_eq!(number(&summary, "rejected_labels"), 3);
        assert_eq!(number(&summary, "labels"), 1);
        if cfg!(feature = "sql") {
            let query = "SELECT message FROM rejects WHERE stage = 'labels' ORDER BY 1";
            let messages = desk.succeed(&["sql", "d", query, "--format", "csv"]);
            let starts: Vec<&str> = messages
                .lines()
                .skip(1)
                .filter_map(|line| line.split(':').next())
                .collect();
            assert_eq!(starts, ["line 3", "line 4", "line 5"], "{messages}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let desk = with_photos();
    fs::write(
        desk.path("quote.csv"),
        format!("{HEADER}0,v,/m/a,1\n1,v,\"/m/a,1\n2,v,/m/a,1\n3,v,/m/a,0\n"),
    )
    .unwrap();
    fs::write(
        desk.path("quote-table.csv"),
        "path,label\np/0.png,\"car\np/1.png,tree\n",
    )
    .unwrap();
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain("path,label\np/0.png,car\n".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    fs::write(desk.path("utf16.csv"), utf16).unwrap();
    // In a column that is not used, to the end of the file.
    fs::write(
        desk.path("quote-note.csv"),
        "path,label,note\np/0.png,car,\"oops\np/1.png,tree,fine\n",
    )
    .unwrap();
    for name in ["quote", "quote-table", "quote-note", "utf16"] {
        let file = format!("{name}.csv");
        let arguments = ["ingest", "--images", "p", "--labels", &file, "--out", "d"];
        insta::assert_snapshot!(format!("labels-{name}"), desk.fail(&arguments));
        assert!(!desk.path("d").exists(), "{name} left something behind");
    }
}

#[test]
fn labels_of_other_photos_are_warned_of() {
    let desk = with_photos();
    fs::write(desk.path("l.csv"), format!("{HEADER}x0,v,/m/a,1\n")).unwrap();
    let output = desk.run(&["ingest", "--images", "p", "--labels", "l.csv", "--out", "d"]);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no label row belongs to a photo"), "{said}");
    assert!(said.contains("--id-pattern"), "{said}");
}

#[test]
fn tables_may_call_photos_by_name_or_id() {
    let desk = Desk::new();
    desk.draw("p/train", Scene::Car, 0..3);
    desk.draw("p/test", Scene::Tree, 2..5);
    for (file, header, rows, matched) in [
        // `2` is in both folders: it is nobody's name.
        (
            "stems.csv",
            "id,breed,label",
            "0,x,car\n1,x,car\n2,x,car\n4,x,tree\n",
            3,
        ),
        (
            "names.csv",
            "image_id,label",
            "0.png,car\n3.png,tree\n2.png,tree\n",
            2,
        ),
        (
            "paths.csv",
            "filename;label",
            "train/2.png;car\n./test/2.png;tree\n",
            2,
        ),
    ] {
        fs::write(desk.path(file), format!("{header}\n{rows}")).unwrap();
        let out = format!("{file}.sparkles");
        let summary = desk.json(&["ingest", "--images", "p", "--labels", file, "--out", &out]);
        assert_eq!(number(&summary, "unlabelled"), 6 - matched, "{file}");
    }
    let trained = desk.train("stems.csv.sparkles", &["--split", "1.0", "--out", "m"]);
    assert_eq!(trained["label_counts"], json!({"car": 2, "tree": 1}));
}

#[test]
fn what_is_no_image_has_no_class() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    fs::create_dir_all(desk.path("p/notes")).unwrap();
    for name in ["p/car/notes.txt", "p/car/.DS_Store", "p/notes/readme.md"] {
        fs::write(desk.path(name), "no image").unwrap();
    }
    fs::write(desk.path("p/tree/cut.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let summary = desk.json(&["ingest", "--images", "p", "--out", "d"]);
    assert_eq!(number(&summary, "classes"), 2);
    assert_eq!(
        number(&summary, "labels"),
        7,
        "six photos and one that is broken"
    );
    let explored = desk.json(&["explore", "d"]);
    assert_eq!(explored["classes"][0]["present"], 3);
    assert_eq!(explored["classes"][1]["present"], 3);
    let error = desk.fail(&[
        "train",
        "d",
        "--label",
        "car",
        "--backbone",
        &tiny(),
        "--out",
        "m",
    ]);
    assert!(
        error.contains("3 samples are verified to have it"),
        "{error}"
    );
}

#[test]
fn rows_that_cannot_be_read_are_in_the_ledger() {
    let desk = with_photos();
    // A note over several lines is no quote that was forgotten.
    let mut text = b"path,label,note\np/0.png,car,\"one\ntwo, three\"\n".to_vec();
    text.extend(b"p/1.png,K\xe4se,latin\np/2.png,tree, old,note\n\np/3.png,tree");
    fs::write(desk.path("l.csv"), text).unwrap();
    let ingest = ["ingest", "--images", "p", "--labels", "l.csv", "--out", "d"];
    let summary = desk.json(&ingest);
    assert_eq!(number(&summary, "labels"), 2);
    assert_eq!(number(&summary, "rejected_labels"), 2);
    assert_eq!(summary["top_classes"], json!([["car", 1], ["tree", 1]]));
    if cfg!(feature = "sql") {
        let query = "SELECT message FROM rejects WHERE stage = 'labels' ORDER BY 1";
        let messages = desk.succeed(&["sql", "d", query, "--format", "csv"]);
        assert!(
            messages.contains("line 4: the row is not UTF-8"),
            "{messages}"
        );
        assert!(
            messages.contains("line 5: the row has 4 fields"),
            "{messages}"
        );
    }
}

#[test]
fn columns_that_are_named_win_over_the_look_of_the_file() {
    let desk = with_photos();
    fs::write(desk.path("l.csv"), "ImageID,label\n0,car\n1,tree\n").unwrap();
    let ingest = ["ingest", "--images", "p", "--labels", "l.csv", "--out", "d"];
    let refusal = desk.fail(&ingest);
    assert!(refusal.contains("no column `LabelName`"), "{refusal}");
    let columns = ["--location-column", "ImageID", "--label-column", "label"];
    let summary = desk.json(&[&ingest[..], &columns].concat());
    assert_eq!(number(&summary, "unlabelled"), 2);
}

#[test]
fn side_files_take_no_name_from_photos() {
    let desk = with_photos();
    for name in ["0.txt", "1.json"] {
        fs::write(desk.path("p").join(name), "beside").unwrap();
    }
    fs::create_dir_all(desk.path("p/.checkpoints")).unwrap();
    fs::copy(desk.path("p/2.png"), desk.path("p/.checkpoints/x.png")).unwrap();
    fs::write(desk.path("l.csv"), "id,label\n0,car\n1,tree\n").unwrap();
    let summary = desk.json(&["ingest", "--images", "p", "--labels", "l.csv", "--out", "d"]);
    assert_eq!(number(&summary, "unlabelled"), 3);
    let summary = desk.json(&["ingest", "--images", "p", "--out", "e"]);
    assert_eq!(
        number(&summary, "classes"),
        0,
        "hidden folders are no classes"
    );
}

#[test]
fn composed_and_decomposed_names_are_one() {
    let desk = Desk::new();
    desk.draw("p/Ka\u{308}fer", Scene::Car, 0..4);
    desk.draw("p/Baum", Scene::Tree, 0..4);
    let labels = ["--label", "k\u{e4}fer", "--label", "baum"];
    desk.train(
        "p",
        &[&labels[..], &["--split", "1.0", "--out", "m"]].concat(),
    );
    desk.draw("q/K\u{e4}fer", Scene::Car, 5..7);
    desk.json(&["ingest", "--images", "q", "--out", "d"]);
    let evaluated = desk.json(&["evaluate", "m", "d"]);
    assert_eq!(number(&evaluated, "rows"), 2);
}

#[test]
fn lists_may_name_folders_globs_and_what_is_gone() {
    let desk = Desk::new();
    desk.draw("p/car", Scene::Car, 0..3);
    desk.draw("p/tree", Scene::Tree, 0..3);
    for (list, found, samples) in [
        ("p/car\np/tree/*.png\n", 6, 6),
        ("p/car/0.png\np/car\np/none.png\n", 4, 3),
    ] {
        fs::write(desk.path("list.txt"), list).unwrap();
        let ingest = ["ingest", "--images", "list.txt", "--out", "d", "--update"];
        let summary = desk.json(&ingest);
        assert_eq!(number(&summary, "found"), found, "{list}");
        assert_eq!(number(&summary, "samples"), samples, "{list}");
    }
}
