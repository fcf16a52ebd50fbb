//! The verb `evaluate`: how good a model is, on rows that it has not seen.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sparkles_data::{Dataset, Location, Sample, Stores};
use sparkles_learn::Part;
use sparkles_learn::metrics::{BinaryScores, Confusion, Z_95, log_loss, wilson_interval};

use crate::featurize::featurize_samples;
use crate::matrix::SampleMatrix;
use crate::selection::{Row, Selected, select_like};
use crate::{Error, FeaturizeOptions, Model, Progress};

/// Mistakes that a summary shows.
const MISTAKES: usize = 20;

/// Which rows to measure on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// One part of the split that the model was trained with.
    Part(Part),
    /// All rows.
    All,
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text
                .parse()
                .map(Self::Part)
                .map_err(|_| format!("`{text}` is none of test, validation, train, all")),
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(part) => write!(formatter, "{part}"),
            Self::All => formatter.write_str("all"),
        }
    }
}

/// What to measure on.
#[derive(Debug, Clone, Default)]
pub struct EvaluateRequest {
    /// A dataset; none for the one that the model was trained on.
    pub dataset: Option<Location>,
    /// Which rows; none for the held-back rows of the model's own dataset, or
    /// all rows of another.
    pub on: Option<On>,
}

/// How good a model is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluateSummary {
    /// `test`, `validation`, `train` or `all`.
    pub on: String,
    /// Rows measured on.
    pub rows: u64,
    /// Share of rows predicted rightly.
    pub accuracy: f64,
    /// Wilson's 95 % interval of the accuracy.
    pub accuracy_interval: [f64; 2],
    /// F1 of the labels, weighted by their rows.
    pub weighted_f1: f64,
    /// F1 of the labels, each counting alike.
    pub macro_f1: f64,
    /// Mean of −log of the probability of the true label, in nats.
    pub log_loss: f64,
    /// Two labels: area under the ROC curve of the positive label. More: mean
    /// over the labels, each against the rest. Null where only one label occurs.
    pub area_under_roc: Option<f64>,
    /// The same under the precision-recall curve, by trapezoids as in Spark.
    pub area_under_pr: Option<f64>,
    /// The label that the areas are about, with two labels.
    pub positive_label: Option<String>,
    /// Rows by label and prediction.
    pub confusion: ConfusionSummary,
    /// Metrics of each label, by label index.
    pub per_label: Vec<LabelMetrics>,
    /// Rows left out: without features, or with a label that the model does not
    /// know.
    pub left_out: u64,
    /// Rows whose photo the model has learned from, by the contents of the file:
    /// left out of `test` and `validation`, measured in `train` and `all`.
    pub learned_from: u64,
    /// Samples of the dataset that the selection leaves out.
    pub dropped: u64,
    /// The same by reason.
    pub dropped_by_reason: BTreeMap<String, u64>,
    /// The mistakes that the model was surest of.
    pub mistakes: Vec<Mistake>,
}

/// Rows by label and prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionSummary {
    /// The labels, in order of index.
    pub labels: Vec<String>,
    /// One row a label, one column a prediction.
    pub counts: Vec<Vec<u64>>,
}

/// Metrics of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelMetrics {
    /// The label.
    pub label: String,
    /// Share of the predictions of this label that are right.
    pub precision: f64,
    /// Share of the rows of this label that are found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Rows of this label.
    pub support: u64,
}

/// A row that was predicted wrongly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Where the photo lives.
    pub location: String,
    /// The sample's id.
    pub sample_id: String,
    /// The label it has.
    pub label: String,
    /// The label that was predicted.
    pub prediction: String,
    /// Probability of the prediction.
    pub probability: f64,
}

/// One measured row.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRow {
    /// The sample's id.
    pub sample_id: String,
    /// Where the photo lives.
    pub location: String,
    /// The label it has.
    pub label: String,
    /// The label that was predicted.
    pub prediction: String,
    /// Probability of each label, by label index.
    pub probability: Vec<f64>,
}

/// Measures a model; missing features are computed on the way.
pub fn evaluate(
    stores: &Stores,
    model: &Model,
    request: &EvaluateRequest,
    options: &FeaturizeOptions,
    progress: &dyn Progress,
) -> Result<(EvaluateSummary, Vec<PredictionRow>), Error> {
    let training = &model.pipeline.training;
    let root = match &request.dataset {
        Some(root) => root.clone(),
        None => Location::parse(&training.dataset)?,
    };
    let dataset = Dataset::open(stores, &root)?;
    // Photos may have been added since: what the model has learned from is left
    // out by its contents, whatever its id is now.
    let same = dataset.manifest().dataset_id == training.dataset_id
        || dataset.root().to_string() == training.dataset;
    let on = match (request.on, same) {
        (Some(on), _) => on,
        (None, true) => On::Part(Part::Test),
        (None, false) => On::All,
    };
    let samples = dataset.samples()?;
    let selected = select_like(&dataset, &samples, &training.selection, &training.classes)?;
    let rows = rows_on(&selected, &samples, training.split, training.seed, on);
    if rows.is_empty() {
        return Err(Error::NothingHeldBack {
            on: on.to_string(),
            split: training.split.to_string(),
        });
    }
    let backbone = model.open_backbone(options.engine)?;
    let alpha = model.pipeline.stages.featurizer.alpha;
    let options = FeaturizeOptions {
        alpha,
        ..options.clone()
    };
    let wanted = distinct(&rows, &samples);
    let plain: Vec<&Sample> = wanted.iter().map(|(_, sample)| *sample).collect();
    featurize_samples(&dataset, &backbone, &plain, &options, progress)?;
    let matrix = SampleMatrix::read(&dataset, &backbone, alpha, &wanted)?;
    measure(model, &samples, &selected, &rows, &matrix, on)
}

/// The rows of one part, or all.
pub(crate) fn rows_on(
    selected: &Selected,
    samples: &[Sample],
    split: sparkles_learn::SplitRatio,
    seed: u64,
    on: On,
) -> Vec<Row> {
    let wanted = |row: &&Row| match on {
        On::All => true,
        On::Part(part) => samples
            .get(row.sample)
            .is_some_and(|sample| split.part(&sample.sample_id, seed) == part),
    };
    selected.rows.iter().filter(wanted).cloned().collect()
}

/// The samples of some rows, each once, in order.
pub(crate) fn distinct<'a>(rows: &[Row], samples: &'a [Sample]) -> Vec<(usize, &'a Sample)> {
    let mut positions: Vec<usize> = rows.iter().map(|row| row.sample).collect();
    positions.sort_unstable();
    positions.dedup();
    positions
        .into_iter()
        .filter_map(|position| Some((position, samples.get(position)?)))
        .collect()
}

/// Predicts the rows and compares with their labels.
pub(crate) fn measure(
    model: &Model,
    samples: &[Sample],
    selected: &Selected,
    rows: &[Row],
    matrix: &SampleMatrix,
    on: On,
) -> Result<(EvaluateSummary, Vec<PredictionRow>), Error> {
    let labels = model.labels();
    let mut truths = Vec::new();
    let mut predictions = Vec::new();
    let mut probabilities = Vec::new();
    let mut measured = Vec::new();
    let mut left_out = 0;
    let mut learned_from = 0;
    let is_held_back = matches!(on, On::Part(Part::Test | Part::Validation));
    for row in rows {
        let label = selected
            .labels
            .get(row.label)
            .map(String::as_str)
            .unwrap_or_default();
        let (Some(truth), Some(at), Some(sample)) = (
            model.indexer.index(label),
            matrix.row_of(row.sample),
            samples.get(row.sample),
        ) else {
            left_out += 1;
            continue;
        };
        let content = matrix.content_of(row.sample);
        if content.is_some_and(|content| model.has_learned_from(content)) {
            learned_from += 1;
            if is_held_back {
                continue;
            }
        }
        let probability = model.regression.probability(matrix.features.row(at))?;
        let prediction = model.regression.prediction(&probability);
        measured.push(PredictionRow {
            sample_id: sample.sample_id.clone(),
            location: sample.location.clone(),
            label: label.to_owned(),
            prediction: model
                .indexer
                .label(prediction)
                .unwrap_or_default()
                .to_owned(),
            probability: probability.clone(),
        });
        truths.push(truth);
        predictions.push(prediction);
        probabilities.push(probability);
    }
    if measured.is_empty() {
        return Err(Error::NothingMeasured {
            rows: rows.len() as u64,
        });
    }
    let confusion = Confusion::new(labels.len(), &truths, &predictions, None)?;
    let (low, high) = wilson_interval(confusion.correct(), confusion.rows(), Z_95);
    let positive_label = model.pipeline.stages.string_indexer.positive_label.clone();
    let (area_under_roc, area_under_pr) = areas(
        labels.len(),
        positive_label
            .as_deref()
            .and_then(|label| model.indexer.index(label)),
        &truths,
        &probabilities,
    )?;
    let per_label = labels
        .iter()
        .zip(confusion.per_class())
        .map(|(label, metrics)| LabelMetrics {
            label: label.clone(),
            precision: metrics.precision,
            recall: metrics.recall,
            f1: metrics.f1,
            support: metrics.support,
        })
        .collect();
    let counts = confusion
        .counts()
        .chunks(labels.len().max(1))
        .map(<[u64]>::to_vec)
        .collect();
    let summary = EvaluateSummary {
        on: on.to_string(),
        rows: confusion.rows(),
        accuracy: confusion.accuracy(),
        accuracy_interval: [low, high],
        weighted_f1: confusion.weighted_f1(),
        macro_f1: confusion.macro_f1(),
        log_loss: log_loss(&probabilities, &truths, None)?,
        area_under_roc,
        area_under_pr,
        positive_label,
        confusion: ConfusionSummary {
            labels: labels.to_vec(),
            counts,
        },
        per_label,
        left_out,
        learned_from,
        dropped: selected.dropped.values().sum(),
        dropped_by_reason: selected.dropped.clone(),
        mistakes: worst_mistakes(&measured, &predictions),
    };
    Ok((summary, measured))
}

/// Areas under the ROC and the precision-recall curve: of the positive label
/// with two labels, else the mean over labels against the rest.
fn areas(
    class_count: usize,
    positive: Option<u32>,
    truths: &[u32],
    probabilities: &[Vec<f64>],
) -> Result<(Option<f64>, Option<f64>), Error> {
    let classes: Vec<u32> = match positive {
        Some(positive) => vec![positive],
        None => (0..).take(class_count).collect(),
    };
    let mut sums = (0.0, 0.0);
    let mut counted = 0u32;
    for class in classes {
        let is_positive: Vec<bool> = truths.iter().map(|&truth| truth == class).collect();
        let positives = is_positive.iter().filter(|&&positive| positive).count();
        if positives == 0 || positives == truths.len() {
            continue;
        }
        let scores: Vec<f64> = probabilities
            .iter()
            .map(|row| row.get(class as usize).copied().unwrap_or(0.0))
            .collect();
        let scores = BinaryScores::new(&scores, &is_positive, None)?;
        sums.0 += scores.area_under_roc();
        sums.1 += scores.area_under_pr();
        counted += 1;
    }
    if counted == 0 {
        return Ok((None, None));
    }
    let mean = |sum: f64| Some(sum / f64::from(counted));
    Ok((mean(sums.0), mean(sums.1)))
}

fn worst_mistakes(rows: &[PredictionRow], predictions: &[u32]) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = rows
        .iter()
        .zip(predictions)
        .filter(|(row, _)| row.label != row.prediction)
        .map(|(row, &prediction)| Mistake {
            location: row.location.clone(),
            sample_id: row.sample_id.clone(),
            label: row.label.clone(),
            prediction: row.prediction.clone(),
            probability: row
                .probability
                .get(prediction as usize)
                .copied()
                .unwrap_or(0.0),
        })
        .collect();
    mistakes.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then_with(|| a.location.cmp(&b.location))
    });
    mistakes.truncate(MISTAKES);
    mistakes
}
