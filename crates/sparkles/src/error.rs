//! What can go wrong in a verb, and what to do about it.

mod hint;

use sparkles_data::DataError;
use sparkles_learn::LearnError;
use sparkles_vision::{Architecture, BackboneError, OnnxError, WeightsError};

use crate::HubError;

/// A failure of a verb. [`Error::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that does not name classes, one a line.
    #[error("`{location}` is no text file with one name a line")]
    ClassNames {
        /// The file.
        location: String,
    },
    /// A table or a file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The mathematics.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// A backbone.
    #[error("cannot use backbone `{name}`")]
    Backbone {
        /// Its name or file.
        name: String,
        /// Why not.
        source: BackboneError,
    },
    /// An ONNX file.
    #[error("cannot use `{file}`")]
    Onnx {
        /// The file.
        file: String,
        /// Why not.
        source: OnnxError,
    },
    /// Weights that do not fit a network.
    #[error("cannot build `{name}`")]
    Weights {
        /// The network.
        name: String,
        /// Why not.
        source: WeightsError,
    },
    /// Published weights that cannot be fetched.
    #[error("cannot pull `{name}`")]
    Hub {
        /// The network.
        name: String,
        /// Why not.
        source: Box<HubError>,
    },
    /// A backbone that is known but not here.
    #[error("backbone `{name}` is not on this machine")]
    NotPulled {
        /// Its name.
        name: String,
    },
    /// A backbone's file that is another than when features were computed.
    #[error("the file of backbone `{name}` has changed since features were computed with it")]
    BackboneChanged {
        /// Its name.
        name: String,
    },
    /// A backbone without a self-test.
    #[error("backbone `{name}` carries no self-test")]
    NoSelfTest {
        /// Its name.
        name: String,
    },
    /// There is no folder for the user's caches.
    #[error("cannot tell where pulled backbones belong: there is no home folder")]
    NoHome,
    /// A name that is neither a backbone nor a file.
    #[error(
        "there is no backbone `{name}`: known are `{}`, `{}`",
        crate::EMBEDDED,
        Architecture::ALL.map(Architecture::name).join("`, `")
    )]
    UnknownBackbone {
        /// What was asked for.
        name: String,
    },
    /// No images were named, and no table of them.
    #[error("no images were named")]
    NoImageLocations,
    /// A folder or a glob without files.
    #[error("no file was found in `{locations}`")]
    NothingFound {
        /// What was named.
        locations: String,
    },
    /// Files, but no image among them.
    #[error("none of the {found} files found is an image ({example})")]
    NoImages {
        /// Files found.
        found: u64,
        /// The first of them and why it is none.
        example: String,
        /// Whether a label table named them.
        from_table: bool,
    },
    /// Fewer classes than asked for.
    #[error(
        "the {} in `{images}` {}; at least {least} classes are needed",
        counted(*photos, "photo", "photos"),
        match classes.as_slice() {
            [] => "lie in no sub-folder, so they have no class".to_owned(),
            some => format!("have no other class than `{}`", some.join("`, `")),
        }
    )]
    TooFewClasses {
        /// What was named.
        images: String,
        /// Photos in it.
        photos: u64,
        /// The classes found.
        classes: Vec<String>,
        /// How many there should be.
        least: u64,
    },
    /// A dataset is in the way of a new one.
    #[error("`{location}` already exists")]
    DatasetExists {
        /// The dataset.
        location: String,
    },
    /// An id pattern that is none.
    #[error("`{pattern}` is no id pattern: {reason}")]
    IdPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A label or class file that cannot be read.
    #[error("cannot read `{file}`: {reason}")]
    LabelFile {
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// A label file without a column that it needs.
    #[error("`{file}` has no column `{column}`; its columns are `{columns}`")]
    LabelColumn {
        /// The file.
        file: String,
        /// The column that is missing.
        column: String,
        /// Those that are there.
        columns: String,
    },
    /// A label file of no known kind.
    #[error("cannot tell what `{file}` holds: no {what} column among `{columns}`")]
    UnknownLabelFile {
        /// The file.
        file: String,
        /// `location` or `label`.
        what: String,
        /// The columns that are there.
        columns: String,
    },
    /// Rows were lost or doubled: a defect of sparkles.
    #[error("the books do not balance: {expected} {what}, {found} accounted for")]
    Accounting {
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
        /// Of what.
        what: &'static str,
    },
    /// More rejects than `--max-rejects` allows.
    #[error("{rejected} of {samples} samples were refused; the limit is {limit}")]
    TooManyRejects {
        /// Rejects so far.
        rejected: u64,
        /// Samples asked for.
        samples: u64,
        /// The limit.
        limit: String,
    },
    /// `--memory` does not hold the backbone and one small photo a thread.
    #[error(
        "{asked} of memory do not hold `{backbone}` on {threads} threads: {least_mebibytes} MiB \
         are needed"
    )]
    MemoryTooSmall {
        /// What was allowed.
        asked: String,
        /// What is needed.
        least_mebibytes: u64,
        /// The backbone.
        backbone: String,
        /// Threads.
        threads: usize,
    },
    /// A label that no class has.
    #[error("label `{label}` is in no row of `labels`{}", list_closest(closest))]
    UnknownLabel {
        /// What was asked for.
        label: String,
        /// The closest names and their rows.
        closest: Vec<(String, u64)>,
    },
    /// A readable name that several classes have.
    #[error("label `{label}` means several classes: `{}`", label_names.join("`, `"))]
    AmbiguousLabel {
        /// What was asked for.
        label: String,
        /// The label names that it may mean.
        label_names: Vec<String>,
    },
    /// No sample has any of the labels.
    #[error(
        "no photo is verified to have {}",
        match labels.as_slice() {
            [] => "any label".to_owned(),
            some => format!("`{}`", some.join("` or `")),
        }
    )]
    NoRows {
        /// The labels; none for all.
        labels: Vec<String>,
    },
    /// A dataset without any of a model's labels.
    #[error(
        "no photo of `{dataset}` has a label that the model knows (`{}`); its labels are {}",
        some_of(trained),
        match found.as_slice() {
            [] => "none".to_owned(),
            some => format!("`{}`", some_of(some)),
        }
    )]
    NoSharedLabel {
        /// The dataset.
        dataset: String,
        /// The model's labels.
        trained: Vec<String>,
        /// The dataset's labels.
        found: Vec<String>,
    },
    /// Rows, but none with features.
    #[error(
        "none of the {} can be measured: the photos were refused, the model does not know their \
         labels, or it has learned from the same photos",
        counted(*rows, "row", "rows")
    )]
    NothingMeasured {
        /// Rows that were left out.
        rows: u64,
    },
    /// One label alone, and nothing to tell it from.
    #[error(
        "cannot train on `{label}` alone: {} verified to have it, none is verified not to have \
         it",
        counted(*present, "sample is", "samples are")
    )]
    NoAbsent {
        /// The label.
        label: String,
        /// Samples that have it.
        present: u64,
    },
    /// All rows to learn from have one label, or there are none.
    #[error(
        "cannot train: {}",
        match label {
            Some(label) => format!(
                "the train part ({rows} of {}) has no other label than `{label}`",
                counted(*total, "row", "rows")
            ),
            None if *total == 0 => "no photo with these labels has features".to_owned(),
            None => format!("the train part has none of the {total} rows"),
        }
    )]
    OneLabel {
        /// The only label.
        label: Option<String>,
        /// Rows of the train part.
        rows: u64,
        /// Rows of all parts.
        total: u64,
        /// Labels of all parts.
        labels: u64,
        /// Rows that were left out because their photo was refused.
        refused: u64,
    },
    /// A sample with several of the chosen labels, where that is an error.
    #[error("sample `{sample_id}` has several of the chosen labels: `{}`", labels.join("`, `"))]
    SeveralLabels {
        /// The sample.
        sample_id: String,
        /// Its labels.
        labels: Vec<String>,
    },
    /// A feature that is no number.
    #[error("the features of `{location}` cannot be learned from")]
    FeatureNotFinite {
        /// The photo.
        location: String,
        /// Which feature.
        source: LearnError,
    },
    /// Something is in the way of a new model or backbone.
    #[error("`{location}` already exists")]
    OutputExists {
        /// The folder or file.
        location: String,
    },
    /// A folder without `pipeline.json`.
    #[error("`{location}` is no model: it holds no `pipeline.json`")]
    NotAModel {
        /// The folder.
        location: String,
    },
    /// A model written by a newer version.
    #[error("model `{location}` has format {found}; this version reads up to format {supported}")]
    NewerModel {
        /// The folder.
        location: String,
        /// Its format.
        found: u32,
        /// The newest that is understood.
        supported: u32,
    },
    /// A file of a model that cannot be used.
    #[error("`{location}` is corrupt: {reason}")]
    CorruptModel {
        /// The file.
        location: String,
        /// What is wrong.
        reason: String,
    },
    /// The backbone makes other features than the model was trained on.
    #[error(
        "the model was trained on other features than `{backbone}` makes: key {}, found {}",
        short(expected),
        short(found)
    )]
    OtherFeatures {
        /// The model's feature key.
        expected: String,
        /// The backbone's feature key.
        found: String,
        /// The backbone.
        backbone: String,
    },
    /// The part asked for is empty.
    #[error("no row is in part `{on}` of the split {split}")]
    NothingHeldBack {
        /// The part.
        on: String,
        /// The split.
        split: String,
    },
    /// The drawings of the demo.
    #[error("cannot draw the demo's pictures")]
    Drawing(#[from] crate::demo::CollectionError),
    /// A result could not be written.
    #[error("cannot write `{location}`")]
    Output {
        /// The file, or `standard output`.
        location: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn label_file(file: &str, reason: String) -> Self {
        Self::LabelFile {
            file: file.to_owned(),
            reason,
        }
    }
}

fn list_closest(closest: &[(String, u64)]) -> String {
    if closest.is_empty() {
        return String::new();
    }
    let names: Vec<String> = closest
        .iter()
        .map(|(name, rows)| format!("{name} ({})", counted(*rows, "row", "rows")))
        .collect();
    format!("\n  closest: {}", names.join(", "))
}

fn short(key: &str) -> &str {
    key.get(..12).unwrap_or(key)
}

/// The first ten names.
fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(10).map(String::as_str);
    let mut text = shown.collect::<Vec<_>>().join("`, `");
    if names.len() > 10 {
        text.push_str("`, `…");
    }
    text
}

/// `1 row`, `2 rows`.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// An error and its sources on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}
