#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::files::{encode, spoil};
use super::plan::{Encoding, Flaw, PHONE, Plan, plan};
use super::{CollectionError, write_collection};
use crate::demo::drawing::{Dice, Scene, draw_with_extras};

fn files(images: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in [images.to_owned(), images.join(PHONE)] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let below = path.strip_prefix(images).unwrap().to_owned();
                files.insert(below, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn decodes(bytes: &[u8]) -> bool {
    image::load_from_memory(bytes).is_ok()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn counts_match_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let made = write_collection(folder.path(), 90, 7).unwrap();
    let files = files(&made.images);
    assert_eq!(files.len(), 90);
    assert_eq!(files.len(), made.pictures);
    assert_eq!(
        made.pictures,
        made.broken + made.cars + made.trees + made.both + made.neither
    );
    assert_eq!(made.broken, 5);
    let total: usize = files.values().map(Vec::len).sum();
    assert_eq!(u64::try_from(total).unwrap(), made.bytes);

    let ids: HashSet<String> = files.keys().map(|path| stem(path)).collect();
    assert_eq!(files.len() - ids.len(), made.doubled_ids);
    assert!(ids.iter().all(|id| id.len() == 16));

    let labels = fs::read_to_string(&made.labels).unwrap();
    let mut lines = labels.lines();
    assert_eq!(lines.next(), Some("ImageID,Source,LabelName,Confidence"));
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), made.label_rows);
    assert_eq!(
        rows.len() - rows.iter().collect::<HashSet<_>>().len(),
        made.doubled_rows
    );
    assert!(made.doubled_rows > 0);
    let labelled: HashSet<&str> = rows
        .iter()
        .map(|row| row.split(',').next().unwrap())
        .collect();
    assert_eq!(
        labelled.iter().filter(|id| !ids.contains(**id)).count(),
        made.without_photo
    );
    assert_eq!(
        ids.iter()
            .filter(|id| !labelled.contains(id.as_str()))
            .count(),
        made.unlabelled
    );
    assert!(made.without_photo > 0 && made.unlabelled > 0);

    let classes = fs::read_to_string(&made.classes).unwrap();
    let described: HashSet<&str> = classes
        .lines()
        .map(|line| line.split(',').next().unwrap())
        .collect();
    let undescribed = rows
        .iter()
        .filter(|row| !described.contains(row.split(',').nth(2).unwrap()));
    assert_eq!(undescribed.count(), made.undescribed_rows);
    assert_eq!(made.undescribed_rows, 1);
    assert_eq!(made.wrong_labels, 2);
}

#[test]
fn every_whole_file_decodes_and_is_upright() {
    let folder = tempfile::tempdir().unwrap();
    let made = write_collection(folder.path(), 60, 3).unwrap();
    let plans = plan(60, &mut Dice::new(3).fork());
    let mut turned = 0;
    for plan in plans.iter().filter(|plan| plan.flaw.is_none()) {
        let path = plan.path(&made.images);
        let mut decoder = ImageReader::open(&path)
            .unwrap()
            .with_guessed_format()
            .unwrap()
            .into_decoder()
            .unwrap();
        let orientation = decoder.orientation().unwrap();
        turned += usize::from(orientation != Orientation::NoTransforms);
        let mut picture = DynamicImage::from_decoder(decoder).unwrap();
        picture.apply_orientation(orientation);
        assert_eq!(
            (picture.width(), picture.height()),
            (plan.width, plan.height),
            "{}",
            path.display()
        );
        // As drawn, but for what the encoding lost.
        let (drawn, _) = draw_with_extras(plan.scene, plan.width, plan.height, plan.seed);
        let grey = |picture: DynamicImage| picture.into_luma8().into_raw();
        let (read, drawn) = (grey(picture), grey(DynamicImage::ImageRgb8(drawn)));
        let off: u64 = read
            .iter()
            .zip(&drawn)
            .map(|(read, drawn)| u64::from(read.abs_diff(*drawn)))
            .sum();
        let mean = off as f64 / read.len() as f64;
        assert!(mean < 12.0, "{}: off by {mean}", path.display());
    }
    assert_eq!(turned, made.turned);
    assert!(turned > 0, "the seed should give some turned photos");
}

#[test]
fn broken_files_do_not_decode() {
    let picture = draw_with_extras(Scene::Car, 320, 240, 5).0;
    for (flaw, encoding) in [
        (Flaw::Damaged, Encoding::Png { alpha: false }),
        (Flaw::Text, Encoding::WebP),
        (Flaw::Html, Encoding::Gif),
        (Flaw::Empty, Encoding::Bmp),
    ] {
        let mut plan = Plan::new("0".repeat(16), &mut Dice::new(1));
        plan.encoding = encoding;
        let healthy = encode(picture.clone(), &plan).unwrap();
        assert!(decodes(&healthy), "{encoding:?}");
        assert!(!decodes(&spoil(healthy, flaw)), "{flaw:?}");
    }
}

#[test]
fn the_seed_decides_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, seed: u64| {
        let made = write_collection(&folder.path().join(name), 16, seed).unwrap();
        (files(&made.images), fs::read(made.labels).unwrap())
    };
    let (first, again, other) = (read("first", 1), read("again", 1), read("other", 2));
    assert!(first == again);
    assert!(first != other);
}

#[test]
fn small_collections_and_taken_folders() {
    let folder = tempfile::tempdir().unwrap();
    for pictures in [0, 1, 9, 13] {
        let place = folder.path().join(pictures.to_string());
        let made = write_collection(&place, pictures, 11).unwrap();
        assert_eq!(files(&made.images).len(), pictures);
        assert!(matches!(
            write_collection(&place, pictures, 11),
            Err(CollectionError::Exists { .. })
        ));
    }
}
