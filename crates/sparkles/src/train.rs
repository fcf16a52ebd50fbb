//! The verb `train`: string indexer, featurizer, logistic regression.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::Serialize;
use sparkles_data::{Claim, Dataset, Location, Sample};
use sparkles_learn::{
    LabelOrder, LearnError, LogisticRegression, Part, SplitRatio, StringIndexer, StringIndexerModel,
};

use crate::backbone::backbone_name;
use crate::evaluate::{On, distinct, measure, rows_on};
use crate::featurize::featurize_samples;
use crate::matrix::SampleMatrix;
use crate::model::{self, IndexerStage, Stages, Training};
use crate::selection::{Row, select};
use crate::{
    Error, EvaluateSummary, FeaturizeOptions, LabelSelection, Model, Progress, model_card,
    open_backbone,
};

/// What to learn, and where to put it.
#[derive(Debug, Clone)]
pub struct TrainRequest {
    /// The labels to tell apart.
    pub selection: LabelSelection,
    /// Shares of the parts.
    pub split: SplitRatio,
    /// Seed of the split.
    pub seed: u64,
    /// The learner's settings.
    pub regression: LogisticRegression,
    /// Where the model goes; nothing may be there yet.
    pub out: Location,
}

impl TrainRequest {
    /// All classes, four fifths to learn from, Spark ML's settings.
    pub fn new(out: Location) -> Self {
        Self {
            selection: LabelSelection::default(),
            split: SplitRatio::default(),
            seed: 42,
            regression: LogisticRegression::default(),
            out,
        }
    }
}

/// How training went.
#[derive(Debug, Clone, Serialize)]
pub struct TrainSummary {
    /// Rows that were learned from.
    pub rows: u64,
    /// Labels that are told apart.
    pub classes: u64,
    /// Rows that were learned from, by label.
    pub label_counts: BTreeMap<String, u64>,
    /// Samples and rows that were left out.
    pub dropped: u64,
    /// The same by reason.
    pub dropped_by_reason: BTreeMap<String, u64>,
    /// Rows of the chosen labels whose confidence lies between 0 and 1, unused.
    pub machine_made: u64,
    /// Rows that were held back for validation and test.
    pub held_back: u64,
    /// Steps of the optimiser.
    pub iterations: usize,
    /// Whether it found the optimum.
    pub converged: bool,
    /// The objective at the end, in nats, penalty included.
    pub objective: f64,
    /// Weight of the L2 penalty.
    pub reg_param: f64,
    /// Name of the backbone.
    pub backbone: String,
    /// Seconds of the whole run, features included.
    pub seconds: f64,
    /// Seconds of the fit alone.
    pub fit_seconds: f64,
    /// How good the model is on the rows held back, if there are any.
    pub held_back_metrics: Option<EvaluateSummary>,
    /// Where the model is.
    pub model: String,
}

/// Left out: no features, because the photo was refused.
const REJECTED: &str = "rejected_photos";

/// Learns a model from a dataset; missing features are computed on the way.
pub fn train(
    dataset: &Dataset,
    request: &TrainRequest,
    options: &FeaturizeOptions,
    progress: &dyn Progress,
) -> Result<TrainSummary, Error> {
    let started = Instant::now();
    let stores = dataset.stores();
    model::check_free(stores, &request.out)?;
    let _claim = Claim::take(&request.out)?;
    let samples = dataset.samples()?;
    let mut selected = select(dataset, &samples, &request.selection)?;
    let backbone = open_backbone(stores, &options.backbone, options.engine)?;
    let wanted = distinct(&selected.rows, &samples);
    let plain: Vec<&Sample> = wanted.iter().map(|(_, sample)| *sample).collect();
    featurize_samples(dataset, &backbone, &plain, options, progress)?;
    let matrix = SampleMatrix::read(dataset, &backbone, options.alpha, &wanted)?;

    // Rows without features are left out, and counted.
    let before = selected.rows.len();
    selected
        .rows
        .retain(|row| matrix.row_of(row.sample).is_some());
    let refused = (before - selected.rows.len()) as u64;
    if refused > 0 {
        selected.dropped.insert(REJECTED.to_owned(), refused);
    }
    let train_rows = rows_on(
        &selected,
        &samples,
        request.split,
        request.seed,
        On::Part(Part::Train),
    );
    let names: Vec<&str> = train_rows
        .iter()
        .filter_map(|row| selected.labels.get(row.label).map(String::as_str))
        .collect();
    let indexer = match selected.positive {
        // Present is 1 and absent 0, whichever is more frequent.
        Some(_) => StringIndexerModel::from_labels(selected.labels.clone())?,
        None => StringIndexer {
            order: LabelOrder::FrequencyDesc,
        }
        .fit(names.iter().copied()),
    };
    let mut label_counts: BTreeMap<String, u64> = BTreeMap::new();
    for name in &names {
        *label_counts.entry((*name).to_owned()).or_insert(0) += 1;
    }
    if label_counts.len() < 2 {
        let usable: BTreeSet<usize> = selected.rows.iter().map(|row| row.label).collect();
        return Err(Error::OneLabel {
            label: label_counts.into_keys().next(),
            rows: train_rows.len() as u64,
            total: selected.rows.len() as u64,
            labels: usable.len() as u64,
            refused,
        });
    }
    let label_indices: Vec<u32> = names
        .iter()
        .filter_map(|name| indexer.index(name))
        .collect();
    let at: Vec<usize> = train_rows
        .iter()
        .filter_map(|row| matrix.row_of(row.sample))
        .collect();
    let features = matrix.features.select(&at);
    progress.begin("fitting", 0);
    let fitting = Instant::now();
    let fitted = request
        .regression
        .fit(&features, &label_indices, indexer.labels().len(), None);
    let (regression, fit) = fitted.map_err(|error| name_row(error, &train_rows, &samples))?;
    let fit_seconds = fitting.elapsed().as_secs_f64();
    progress.finish();
    if !fit.converged {
        progress.warn(&format!(
            "the optimiser stopped after {} iterations without converging: raise `--max-iter` or \
             `--reg-param`",
            fit.iterations
        ));
    }

    let positive_label = match selected.positive {
        Some(position) => selected.labels.get(position).cloned(),
        None if indexer.labels().len() == 2 => indexer.label(1).map(str::to_owned),
        None => None,
    };
    let stages = Stages {
        string_indexer: IndexerStage {
            labels: indexer.labels().to_vec(),
            positive_label,
        },
        featurizer: model::featurizer_stage(
            &options.backbone,
            &backbone,
            options.alpha,
            &dataset.manifest().sample_ids,
        ),
        logistic_regression: model::regression_stage(&request.regression, &regression, fit.clone()),
    };
    let training = Training {
        dataset_id: dataset.manifest().dataset_id.clone(),
        dataset: dataset.root().to_string(),
        selection: request.selection.clone(),
        classes: selected.classes.clone(),
        split: request.split,
        seed: request.seed,
        rows: train_rows.len() as u64,
        label_counts: label_counts.clone(),
        dropped: selected.dropped.clone(),
    };
    let mut fitted = Model::new(
        model::new_pipeline(stages, training, None),
        indexer,
        regression,
        train_rows
            .iter()
            .filter_map(|row| matrix.content_of(row.sample))
            .collect(),
        stores,
        &options.backbone,
    )?;
    let mut test_rows = rows_on(
        &selected,
        &samples,
        request.split,
        request.seed,
        On::Part(Part::Test),
    );
    let is_known = |label: usize| {
        let label = selected.labels.get(label);
        label.is_some_and(|label| fitted.indexer.index(label).is_some())
    };
    let is_new = |row: &Row| {
        let content = matrix.content_of(row.sample);
        content.is_some_and(|content| !fitted.has_learned_from(content))
    };
    if !test_rows
        .iter()
        .any(|row| is_known(row.label) && is_new(row))
    {
        test_rows.clear();
    }
    if !request.selection.labels.is_empty() {
        for (position, label) in selected.labels.iter().enumerate() {
            if !is_known(position) {
                progress.warn(&format!(
                    "no row of the train part has the label `{label}`: the model does not know it"
                ));
            }
        }
    }
    let held_back_metrics = if test_rows.is_empty() {
        progress.warn("no row is held back: `evaluate` has nothing that the model has not seen");
        None
    } else {
        let on = On::Part(Part::Test);
        let (summary, _) = measure(&fitted, &samples, &selected, &test_rows, &matrix, on)?;
        Some(summary)
    };
    fitted.pipeline.metrics.clone_from(&held_back_metrics);
    let card = model_card::write(&fitted.pipeline, backbone.card());
    model::save(stores, &request.out, &fitted, card)?;
    Ok(TrainSummary {
        rows: train_rows.len() as u64,
        classes: fitted.labels().len() as u64,
        label_counts,
        dropped: selected.dropped.values().sum(),
        dropped_by_reason: selected.dropped,
        machine_made: selected.machine_made,
        held_back: (selected.rows.len() - train_rows.len()) as u64,
        iterations: fit.iterations,
        converged: fit.converged,
        objective: fit.objective(),
        reg_param: request.regression.reg_param,
        backbone: backbone_name(&backbone),
        seconds: started.elapsed().as_secs_f64(),
        fit_seconds,
        held_back_metrics,
        model: request.out.to_string(),
    })
}

/// Says which photo a bad row of features belongs to.
fn name_row(error: LearnError, rows: &[Row], samples: &[Sample]) -> Error {
    if let LearnError::FeatureNotFinite { row, .. } = &error
        && let Some(sample) = rows.get(*row).and_then(|row| samples.get(row.sample))
    {
        return Error::FeatureNotFinite {
            location: sample.location.clone(),
            source: error,
        };
    }
    error.into()
}
