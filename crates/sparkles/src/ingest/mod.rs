//! The verb `ingest`: photos and labels become a dataset.

mod classes;
mod header;
mod images;
mod labels;
mod source;

use std::collections::{BTreeMap, HashMap, HashSet};

use regex::Regex;
use serde::Serialize;
use sparkles_data::{
    Class, Dataset, DatasetBuilder, IngestCounts, Label, Location, Reject, RejectReason, Sample,
    Stage, Stores,
};

use crate::{Error, Progress};
use images::Gathered;
use labels::LabelFile;

pub(crate) use header::reject_reason;
pub(crate) use images::{Candidate, SampleIds, gather};

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
    /// Where the dataset goes; nothing may be there yet.
    pub out: Location,
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
            out,
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
    /// The most frequent label names with their rows, readable names first.
    pub top_classes: Vec<(String, u64)>,
    /// Up to five ids that several images share.
    pub doubled_examples: Vec<String>,
    /// Up to five labelled ids without an image.
    pub without_photo_examples: Vec<String>,
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
/// are kept, and what is odd is counted.
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
    DatasetBuilder::check_free(stores, &request.out)?;
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
        (_, false) => gather(stores, &request.images)?,
    };
    let sample_ids = match (pattern, &label_file) {
        (Some(pattern), _) => SampleIds::Pattern(pattern),
        (None, Some(LabelFile::OpenImages(_))) => SampleIds::FileStem,
        (None, _) => SampleIds::Path,
    };
    let Gathered {
        candidates,
        mut rejects,
    } = gathered;
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
    let ids: HashMap<&str, &str> = identified
        .iter()
        .map(|(candidate, id)| (candidate.address.as_str(), id.as_str()))
        .collect();
    let relatives: HashMap<&str, &str> = identified
        .iter()
        .map(|(candidate, id)| (candidate.relative.as_str(), id.as_str()))
        .collect();
    let mut builder = DatasetBuilder::create(stores, &request.out)?;
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
    let label_source = match &label_file {
        Some(LabelFile::OpenImages(file)) => {
            file.visit(&mut bad_rows, |label| take(label, &mut builder))?;
            "open_images"
        }
        Some(LabelFile::Table(table)) => {
            table.visit(&ids, &relatives, &mut bad_rows, |label| {
                take(label, &mut builder)
            })?;
            "table"
        }
        None => {
            for (candidate, id) in &identified {
                if let Some(class) = &candidate.class_folder {
                    take(
                        Label {
                            sample_id: id.clone(),
                            source: "folder".to_owned(),
                            label_name: class.clone(),
                            confidence: 1.0,
                        },
                        &mut builder,
                    )?;
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
        .cloned()
        .collect();
    let dataset = builder.commit()?;
    let summary = IngestSummary {
        counts,
        rejected_by_reason,
        label_source: label_source.to_owned(),
        top_classes: tally.top_classes(&rows),
        doubled_examples: tally.doubled_examples,
        without_photo_examples: tally.without_photo_examples,
        pattern_unmatched,
        seconds: started.elapsed().as_secs_f64(),
        dataset: request.out.to_string(),
    };
    Ok((dataset, summary))
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

/// Counts of labels against samples.
struct Tally<'a> {
    /// Images that share an id.
    ids: HashMap<&'a str, u64>,
    rejected_ids: HashSet<&'a str>,
    labelled: HashSet<&'a str>,
    by_name: HashMap<String, u64>,
    /// Hashes, because label files can be far larger than the photos at hand.
    pairs: HashSet<[u8; 16]>,
    without_photo: HashSet<[u8; 16]>,
    without_photo_examples: Vec<String>,
    doubled_examples: Vec<String>,
    labels: u64,
    doubled_labels: u64,
    samples: u64,
}

impl<'a> Tally<'a> {
    fn new(samples: &'a [Sample], rejects: &'a [Reject]) -> Self {
        let mut ids: HashMap<&str, u64> = HashMap::with_capacity(samples.len());
        for sample in samples {
            *ids.entry(&sample.sample_id).or_insert(0) += 1;
        }
        let mut doubled: Vec<String> = ids
            .iter()
            .filter(|(_, images)| **images > 1)
            .map(|(id, _)| (*id).to_owned())
            .collect();
        doubled.sort();
        doubled.truncate(5);
        Self {
            ids,
            rejected_ids: rejects
                .iter()
                .filter_map(|reject| reject.sample_id.as_deref())
                .collect(),
            labelled: HashSet::new(),
            by_name: HashMap::new(),
            pairs: HashSet::new(),
            without_photo: HashSet::new(),
            without_photo_examples: Vec::new(),
            doubled_examples: doubled,
            labels: 0,
            doubled_labels: 0,
            samples: samples.len() as u64,
        }
    }

    fn add(&mut self, label: &Label) {
        self.labels += 1;
        *self.by_name.entry(label.label_name.clone()).or_insert(0) += 1;
        if !self
            .pairs
            .insert(short_hash(&[&label.sample_id, &label.label_name]))
        {
            self.doubled_labels += 1;
        }
        if let Some((id, _)) = self.ids.get_key_value(label.sample_id.as_str()) {
            self.labelled.insert(id);
        } else if !self.rejected_ids.contains(label.sample_id.as_str())
            && self.without_photo.insert(short_hash(&[&label.sample_id]))
            && self.without_photo_examples.len() < 5
        {
            self.without_photo_examples.push(label.sample_id.clone());
        }
    }

    fn finish(
        &self,
        classes: &[Class],
        found: u64,
        rejected: u64,
        rejected_labels: u64,
    ) -> IngestCounts {
        let described: HashSet<&str> = classes
            .iter()
            .map(|class| class.label_name.as_str())
            .collect();
        let unknown = self
            .by_name
            .keys()
            .filter(|name| !classes.is_empty() && !described.contains(name.as_str()))
            .count();
        let labelled: u64 = self
            .labelled
            .iter()
            .map(|id| self.ids.get(id).copied().unwrap_or(0))
            .sum();
        IngestCounts {
            found,
            samples: self.samples,
            labels: self.labels,
            classes: self.by_name.len() as u64,
            rejected,
            rejected_labels,
            doubled_ids: self.ids.values().filter(|images| **images > 1).count() as u64,
            doubled_labels: self.doubled_labels,
            unlabelled: self.samples - labelled,
            without_photo: self.without_photo.len() as u64,
            unknown_classes: unknown as u64,
        }
    }

    /// The described classes, then the others under their own name.
    fn class_rows(&self, classes: &[Class]) -> Vec<Class> {
        let described: HashSet<&str> = classes
            .iter()
            .map(|class| class.label_name.as_str())
            .collect();
        let mut others: Vec<Class> = self
            .by_name
            .keys()
            .filter(|name| !described.contains(name.as_str()))
            .map(|name| Class {
                label_name: name.clone(),
                display_name: name.clone(),
            })
            .collect();
        others.sort_by(|a, b| a.label_name.cmp(&b.label_name));
        classes.iter().cloned().chain(others).collect()
    }

    fn top_classes(&self, classes: &[Class]) -> Vec<(String, u64)> {
        let mut top: Vec<(String, u64)> = classes
            .iter()
            .filter_map(|class| {
                let rows = self.by_name.get(&class.label_name)?;
                Some((class.display_name.clone(), *rows))
            })
            .collect();
        top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        top.truncate(10);
        top
    }
}

fn short_hash(texts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut short = [0; 16];
    hasher.finalize_xof().fill(&mut short);
    short
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
