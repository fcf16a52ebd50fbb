//! `sparkles demo`: the whole story on drawings, each step as one would type it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use sparkles::demo::{Collection, write_collection, write_new_pictures};
use sparkles::{
    EvaluateRequest, ExploreRequest, FeaturizeOptions, IngestRequest, LabelSelection, Location,
    Model, PredictRequest, Progress as _, Stores, TrainRequest,
};

use crate::args::{DemoArguments, PredictionFormat};
use crate::output::PredictionWriter;
use crate::progress::Bars;
use crate::text::{count, counted, duration};
use crate::verbs;

/// Marks a folder that the demo may replace.
const MARKER: &str = "MADE-BY-SPARKLES-DEMO.txt";
const PICTURES: [&str; 2] = ["pictures", "new-pictures"];
const PARTS: [&str; 4] = [
    "pictures",
    "new-pictures",
    "city.sparkles",
    "car-tree.model",
];

pub(crate) fn run(stores: &Stores, arguments: &DemoArguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let folder = &arguments.out;
    prepare(folder)?;
    let path = |name: &str| folder.join(name).display().to_string();
    let location = |name: &str| Location::local(folder.join(name)).map_err(sparkles::Error::from);
    let progress = Bars::default();
    let options = FeaturizeOptions {
        threads: arguments.threads,
        engine: arguments.engine.engine,
        ..FeaturizeOptions::default()
    };

    progress.begin("drawing", 0);
    let pictures = usize::try_from(arguments.pictures)?;
    let collection = write_collection(&folder.join("pictures"), pictures, arguments.seed)
        .map_err(sparkles::Error::from)?;
    let new = write_new_pictures(
        &folder.join("new-pictures"),
        arguments.seed.wrapping_add(1 << 32),
    )
    .map_err(sparkles::Error::from)?;
    mark(folder)?;
    progress.finish();
    say(&introduction(&collection, &path("pictures")))?;

    let text = |path: &Path| path.display().to_string();
    step(&format!(
        "ingest --images {} --labels {} --classes {} --out {}",
        text(&collection.images),
        text(&collection.labels),
        text(&collection.classes),
        path("city.sparkles")
    ))?;
    let request = IngestRequest {
        images: vec![text(&collection.images)],
        labels: Some(text(&collection.labels)),
        classes: Some(text(&collection.classes)),
        ..IngestRequest::new(location("city.sparkles")?)
    };
    let (dataset, summary) = sparkles::ingest(stores, &request, &progress)?;
    say(&verbs::render_ingest(&summary))?;

    step(&format!(
        "explore {} --label Car --label Tree",
        path("city.sparkles")
    ))?;
    let labels = vec!["Car".to_owned(), "Tree".to_owned()];
    let request = ExploreRequest {
        labels: labels.clone(),
    };
    say(&verbs::render_explore(&sparkles::explore(
        &dataset, &request,
    )?))?;

    step(&format!("featurize {}", path("city.sparkles")))?;
    let summary = sparkles::featurize(&dataset, &options, &progress)?;
    say(&verbs::render_featurize(&summary))?;

    step(&format!(
        "train {} --label Car --label Tree --out {}",
        path("city.sparkles"),
        path("car-tree.model")
    ))?;
    let request = TrainRequest {
        selection: LabelSelection {
            labels,
            ..LabelSelection::default()
        },
        seed: arguments.seed,
        ..TrainRequest::new(location("car-tree.model")?)
    };
    let summary = sparkles::train(&dataset, &request, &options, &progress)?;
    say(&verbs::render_train(&summary))?;

    step(&format!("evaluate {}", path("car-tree.model")))?;
    let model = Model::load(stores, &location("car-tree.model")?)?;
    let (summary, _) = sparkles::evaluate(
        stores,
        &model,
        &EvaluateRequest::default(),
        &options,
        &progress,
    )?;
    say(&verbs::render_evaluate(&summary))?;

    step(&format!(
        "predict {} {} --top 2",
        path("car-tree.model"),
        path("new-pictures")
    ))?;
    let request = PredictRequest {
        images: new.iter().map(|path| text(path)).collect(),
    };
    let mut writer = PredictionWriter::new(PredictionFormat::Text, 2, model.labels());
    sparkles::predict(stores, &model, &request, &options, &progress, |outcome| {
        writer.write(&outcome)
    })?;
    say(&closing(started.elapsed().as_secs_f64(), &path("")))
}

/// Makes the folder; one that an earlier demo made is emptied of what it made, if
/// nothing else was put there since.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    let marker = folder.join(MARKER);
    if folder.exists() && !marker.is_file() {
        bail!(
            "`{}` already exists and was not made by the demo; give another --out",
            folder.display()
        );
    }
    let made = std::fs::read_to_string(&marker).unwrap_or_default();
    let made: BTreeSet<&str> = made.lines().collect();
    for file in files_below(folder, &PICTURES)? {
        if !made.contains(file.as_str()) {
            bail!(
                "`{}` was not made by the demo; move it, or give another --out",
                folder.join(file).display()
            );
        }
    }
    for part in PARTS {
        let part = folder.join(part);
        if part.is_dir() {
            std::fs::remove_dir_all(&part)
                .with_context(|| format!("cannot remove `{}`", part.display()))?;
        }
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))?;
    mark(folder)
}

/// Writes down which pictures the demo made.
fn mark(folder: &Path) -> anyhow::Result<()> {
    let mut text =
        "Made by `sparkles demo`; running it again replaces these pictures:\n".to_owned();
    for file in files_below(folder, &PICTURES)? {
        text.push_str(&file);
        text.push('\n');
    }
    let marker = folder.join(MARKER);
    std::fs::write(&marker, text).with_context(|| format!("cannot write `{}`", marker.display()))
}

/// The files in some sub-folders, sorted, as paths below `folder`.
fn files_below(folder: &Path, parts: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    let mut pending: Vec<PathBuf> = parts.iter().map(|part| folder.join(part)).collect();
    while let Some(next) = pending.pop() {
        if next.is_dir() {
            for entry in std::fs::read_dir(&next)
                .with_context(|| format!("cannot list `{}`", next.display()))?
            {
                pending.push(entry?.path());
            }
        } else if next.exists() {
            let below = next.strip_prefix(folder).unwrap_or(&next);
            files.insert(below.to_string_lossy().into_owned());
        }
    }
    Ok(files)
}

fn step(command: &str) -> anyhow::Result<()> {
    say(&format!("\n$ sparkles {command}\n"))
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn introduction(collection: &Collection, folder: &str) -> String {
    let number = |number: usize| count(number as u64);
    format!(
        "{} in {folder}: {} of a car, {} of a tree, {} of both, {} of neither, {} broken files.\n\
         They are drawings, made by the program: they show how things work, not how good a\n\
         classifier of your photos will be. {} of their labels are wrong on purpose.\n",
        counted(collection.pictures as u64, "picture", "pictures"),
        number(collection.cars),
        number(collection.trees),
        number(collection.both),
        number(collection.neither),
        number(collection.broken),
        number(collection.wrong_labels),
    )
}

fn closing(seconds: f64, folder: &str) -> String {
    format!(
        "\nDone in {}. The pictures, the dataset (Parquet) and the model are in {folder}\n\n\
         Your own photos, one sub-folder a class:\n  \
         sparkles train photos --out my.model\n  \
         sparkles evaluate my.model\n  \
         sparkles predict my.model new-photos\n\
         Your own label file:\n  \
         sparkles ingest --images photos --labels labels.csv --out my.sparkles\n  \
         sparkles explore my.sparkles\n  \
         sparkles train my.sparkles --label Car --label Tree --out my.model\n",
        duration(seconds),
    )
}
