//! The verb `ingest`: photos and labels become a dataset.

mod classes;
mod header;
mod images;
mod labels;
mod rows;
mod source;
mod tally;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use regex::Regex;
use serde::Serialize;
use sparkles_data::{
    DataError, Dataset, DatasetBuilder, FeatureStore, IngestCounts, Label, Location, Reject,
    RejectReason, Stage, Stores,
};

use crate::{Error, Progress};
use images::Gathered;
use labels::{LabelFile, Names};
use tally::Tally;

pub(crate) use header::reject_reason;
pub(crate) use images::{Candidate, OnMissing, SampleIds, gather};

/// Rows of a file of samples.
const SAMPLES_PER_FILE: usize = 131_072;
/// Rows of a file of labels.
const LABELS_PER_FILE: usize = 262_144;

/// What to take in, and where to put it.
#[derive(Debug, Clone)]
pub struct IngestRequest {
    /// Folders, files, globs, or text files with one location a line. May be
    /// empty when the label file has a column of locations.
    pub images: Vec<String>,
    /// The label file: Open Images CSV, or CSV or Parquet with a location and a
    /// label column. None: each sub-folder of the images is a class.
    pub labels: Option<String>,
    /// `class-descriptions`: label name and readable name, without a header.
    pub classes: Option<String>,
    /// Its first group, matched against the location, is the sample id.
    pub id_pattern: Option<String>,
    /// Name of the location column, where it is not one of the usual ones.
    pub location_column: Option<String>,
    /// Name of the label column, where it is not one of the usual ones.
    pub label_column: Option<String>,
    /// Fewer classes than this are an error, and nothing is written.
    pub least_classes: u64,
    /// Where the dataset goes; nothing may be there yet but with `update`.
    pub out: Location,
    /// If there is a dataset already, give it new tables; features of photos that
    /// did not change stay.
    pub update: bool,
}

impl IngestRequest {
    /// A request with nothing to take in yet.
    pub fn new(out: Location) -> Self {
        Self {
            images: Vec::new(),
            labels: None,
            classes: None,
            id_pattern: None,
            location_column: None,
            label_column: None,
            least_classes: 0,
            out,
            update: false,
        }
    }
}

/// What came in.
#[derive(Debug, Clone, Serialize)]
pub struct IngestSummary {
    /// What was counted: found = samples + rejected.
    #[serde(flatten)]
    pub counts: IngestCounts,
    /// Refused images by reason.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// Where labels were taken from: `open_images`, `table` or `folders`.
    pub label_source: String,
    /// The classes that most ids are verified to have, with their number of ids.
    pub top_classes: Vec<(String, u64)>,
    /// Up to five ids that several images share.
    pub doubled_examples: Vec<String>,
    /// Up to five labelled ids without an image.
    pub without_photo_examples: Vec<String>,
    /// Up to five ids with contradictory labels.
    pub contradictory_examples: Vec<String>,
    /// Files whose location the id pattern did not match: their stem is the id.
    pub pattern_unmatched: u64,
    /// Seconds from start to commit.
    pub seconds: f64,
    /// Where the dataset is.
    pub dataset: String,
}

/// Lists the images, reads their headers and the labels, and commits a dataset.
///
/// Nothing is lost: found = samples + rejects, rows of labels without an image
/// are kept, and what is odd is counted. After an error nothing is left behind.
pub fn ingest(
    stores: &Stores,
    request: &IngestRequest,
    progress: &dyn Progress,
) -> Result<(Dataset, IngestSummary), Error> {
    let started = std::time::Instant::now();
    let pattern = match &request.id_pattern {
        Some(text) => Some(compile(text)?),
        None => None,
    };
    let mut builder = begin(stores, request)?;
    let label_file = match &request.labels {
        Some(text) => Some(labels::recognise(stores, text, request)?),
        None => None,
    };
    let classes = match &request.classes {
        Some(text) => classes::read(stores, text)?,
        None => Vec::new(),
    };

    // Images: where they are, then what their headers say.
    let gathered = match (&label_file, request.images.is_empty()) {
        (Some(LabelFile::Table(table)), true) => table.images(),
        (_, true) => return Err(Error::NoImageLocations),
        (_, false) => gather(stores, &request.images, OnMissing::Fail)?,
    };
    let sample_ids = match (pattern, &label_file) {
        (Some(pattern), _) => SampleIds::Pattern(pattern),
        (None, Some(LabelFile::OpenImages(_))) => SampleIds::FileStem,
        (None, _) => SampleIds::Path,
    };
    let Gathered {
        mut candidates,
        rejects,
    } = gathered;
    let mut rejects: Vec<Reject> = rejects.into_iter().map(|(_, reject)| reject).collect();
    // The dataset itself is no input.
    let is_own = |location: &Location| {
        let (path, out) = (location.as_local(), request.out.as_local());
        path.zip(out)
            .is_some_and(|(path, out)| path.starts_with(out))
    };
    candidates.retain(|candidate| !is_own(&candidate.location));
    let found = (candidates.len() + rejects.len()) as u64;
    if found == 0 {
        return Err(Error::NothingFound {
            locations: request.images.join("`, `"),
        });
    }
    let identified: Vec<(Candidate, String)> = candidates
        .into_iter()
        .map(|candidate| {
            let id = sample_ids.of(&candidate);
            (candidate, id)
        })
        .collect();
    let pattern_unmatched = identified
        .iter()
        .filter(|(candidate, _)| !sample_ids.matches(candidate))
        .count() as u64;
    progress.begin("reading headers", found);
    let mut samples = header::read_headers(stores, &identified, &mut rejects, progress);
    progress.finish();
    if samples.is_empty() {
        return Err(Error::NoImages {
            found,
            example: rejects
                .first()
                .map(|reject| format!("{}: {}", reject.location, reject.message))
                .unwrap_or_default(),
            from_table: request.images.is_empty(),
        });
    }
    samples.sort_by(|a, b| (&a.sample_id, &a.location).cmp(&(&b.sample_id, &b.location)));
    rejects.sort_by(|a, b| a.location.cmp(&b.location));
    let refused = rejects.len() as u64;
    let mut rejected_by_reason = BTreeMap::new();
    for reject in &rejects {
        *rejected_by_reason
            .entry(reject.reason.to_string())
            .or_insert(0) += 1;
    }

    // Labels, counted as they are written.
    let mut tally = Tally::new(&samples, &rejects);
    progress.begin("reading labels", 0);
    let mut pending = Vec::new();
    let mut take = |label: Label, builder: &mut DatasetBuilder| -> Result<(), Error> {
        tally.add(&label);
        pending.push(label);
        if pending.len() >= LABELS_PER_FILE {
            builder.write_labels(&pending)?;
            pending.clear();
        }
        Ok(())
    };
    let mut bad_rows = Vec::new();
    // What is no image has no class, though it lies in a class folder, and takes no
    // name away from a photo.
    let not_images: HashSet<&str> = rejects
        .iter()
        .filter(|reject| reject.reason == RejectReason::NotAnImage)
        .map(|reject| reject.location.as_str())
        .collect();
    let is_image = |candidate: &Candidate| !not_images.contains(candidate.address.as_str());
    let label_source = match &label_file {
        Some(LabelFile::OpenImages(file)) => {
            file.visit(&mut bad_rows, |label| take(label, &mut builder))?;
            "open_images"
        }
        Some(LabelFile::Table(table)) => {
            let images = identified
                .iter()
                .filter(|(candidate, _)| is_image(candidate));
            let names = Names::new(images);
            table.visit(&names, &mut bad_rows, |label| take(label, &mut builder))?;
            "table"
        }
        None => {
            for (candidate, id) in &identified {
                if let Some(class) = candidate
                    .class_folder
                    .as_ref()
                    .filter(|_| is_image(candidate))
                {
                    let label = Label {
                        sample_id: id.clone(),
                        source: "folder".to_owned(),
                        label_name: class.clone(),
                        confidence: 1.0,
                    };
                    take(label, &mut builder)?;
                }
            }
            "folders"
        }
    };
    if !pending.is_empty() {
        builder.write_labels(&pending)?;
    }
    progress.finish();

    let counts = tally.finish(&classes, found, refused, bad_rows.len() as u64);
    let rows = tally.class_rows(&classes);
    if counts.classes < request.least_classes {
        return Err(Error::TooFewClasses {
            images: request.images.join("`, `"),
            photos: counts.samples,
            classes: rows.into_iter().map(|class| class.display_name).collect(),
            least: request.least_classes,
        });
    }
    for chunk in samples.chunks(SAMPLES_PER_FILE) {
        builder.write_samples(chunk)?;
    }
    builder.write_classes(&rows)?;
    if !rejects.is_empty() {
        builder.write_rejects(&rejects)?;
    }
    if !bad_rows.is_empty() {
        builder.write_rejects(&bad_rows)?;
    }
    if counts.found != counts.samples + counts.rejected {
        return Err(Error::Accounting {
            expected: counts.found,
            found: counts.samples + counts.rejected,
            what: "inputs found",
        });
    }
    let manifest = builder.manifest_mut();
    manifest.counts = counts.clone();
    manifest.sample_ids = sample_ids.to_string();
    manifest.sources = request
        .images
        .iter()
        .chain(&request.labels)
        .chain(&request.classes)
        .map(|text| Ok(Location::parse(text)?.to_string()))
        .collect::<Result<_, Error>>()?;
    let known: HashSet<(&str, &str)> = samples
        .iter()
        .map(|sample| (sample.sample_id.as_str(), sample.location.as_str()))
        .collect();
    let is_known = |id: &str, location: &str| known.contains(&(id, location));
    let outdated = match builder.previous() {
        Some(dataset) => outdated_features(&dataset, is_known)?,
        None => Vec::new(),
    };
    let dataset = builder.commit()?;
    for (mut store, stale, refused) in outdated {
        // Features of photos that are gone do no harm: the dataset is there.
        let forgotten = store
            .forget(&stale, &refused)
            .and_then(|()| store.compact());
        if let Err(error) = forgotten {
            progress.warn(&format!(
                "features of photos that are gone were not removed: {}",
                crate::error::chain(&error)
            ));
        }
    }
    if let Some(id) = tally.unmatched_example() {
        progress.warn(&format!(
            "no label row belongs to a photo: the first row's id is `{id}`, the first photo's \
             `{}`; {}",
            samples.first().map_or("", |sample| &sample.sample_id),
            match label_file {
                Some(LabelFile::Table(_)) => "`--location-column` names another column",
                _ => "`--id-pattern` cuts ids out of locations",
            }
        ));
    }
    let summary = IngestSummary {
        counts,
        rejected_by_reason,
        label_source: label_source.to_owned(),
        top_classes: tally.top_classes(&rows),
        doubled_examples: tally.doubled_examples,
        without_photo_examples: tally.without_photo_examples,
        contradictory_examples: tally.contradictory_examples,
        pattern_unmatched,
        seconds: started.elapsed().as_secs_f64(),
        dataset: request.out.to_string(),
    };
    Ok((dataset, summary))
}

/// Begins a new dataset, or new tables of one that is there.
fn begin(stores: &Stores, request: &IngestRequest) -> Result<DatasetBuilder, Error> {
    let update = || DatasetBuilder::update(stores, &request.out);
    if request.update {
        match update() {
            Err(DataError::Missing { .. } | DataError::NotADataset { .. }) => {}
            builder => return Ok(builder?),
        }
    }
    match DatasetBuilder::new(stores, &request.out) {
        Err(DataError::Exists { location }) if Dataset::open(stores, &request.out).is_ok() => {
            // Another process may have made it since.
            if request.update {
                return Ok(update()?);
            }
            Err(Error::DatasetExists { location })
        }
        builder => Ok(builder?),
    }
}

/// Features that photos have which are no longer known: the store, locked, and the
/// locations of features and rejects to take out.
type Outdated = (FeatureStore, BTreeSet<String>, BTreeSet<String>);

fn outdated_features(
    dataset: &Dataset,
    is_known: impl Fn(&str, &str) -> bool,
) -> Result<Vec<Outdated>, Error> {
    let mut outdated = Vec::new();
    for mut store in dataset.feature_stores()? {
        let (stale, refused) = store.unknown(&is_known)?;
        if !stale.is_empty() || !refused.is_empty() {
            store.lock()?;
            let (stale, refused) = store.unknown(&is_known)?;
            outdated.push((store, stale, refused));
        }
    }
    Ok(outdated)
}

fn compile(text: &str) -> Result<Regex, Error> {
    let pattern = Regex::new(text).map_err(|source| Error::IdPattern {
        pattern: text.to_owned(),
        reason: source.to_string(),
    })?;
    if pattern.captures_len() < 2 {
        return Err(Error::IdPattern {
            pattern: text.to_owned(),
            reason: "it has no group in parentheses".to_owned(),
        });
    }
    Ok(pattern)
}

/// A reject of the stage `ingest`.
fn reject(location: &str, id: Option<&str>, reason: RejectReason, message: String) -> Reject {
    Reject {
        location: location.to_owned(),
        sample_id: id.map(str::to_owned),
        stage: Stage::Ingest,
        feature_key: None,
        reason,
        message,
        version: None,
    }
}
