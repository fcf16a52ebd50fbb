//! `sparkles train`.

use std::fmt::Write as _;

use anyhow::bail;
use sparkles::{
    Dataset, Error, IngestRequest, LabelSelection, Location, LogisticRegression, Stores,
    TrainRequest, TrainSummary,
};

use super::evaluate::render_metrics;
use crate::args::TrainArguments;
use crate::output;
use crate::progress::Bars;
use crate::text::{bars, count, counted, duration};

pub(crate) fn train(stores: &Stores, arguments: &TrainArguments) -> anyhow::Result<()> {
    let progress = Bars::default();
    let options = arguments.features.options();
    let request = TrainRequest {
        selection: LabelSelection {
            labels: arguments.labels.clone(),
            both: arguments.both,
        },
        split: arguments.split,
        seed: arguments.seed,
        regression: LogisticRegression {
            reg_param: arguments.reg_param,
            max_iter: arguments.max_iter,
            tol: arguments.tol,
            fit_intercept: arguments.fit_intercept,
            standardization: arguments.standardization,
            family: arguments.family,
            threads: options
                .threads
                .unwrap_or(LogisticRegression::default().threads),
        },
        out: Location::parse(&arguments.out).map_err(Error::from)?,
    };
    sparkles::check_model_free(stores, &request.out)?;
    let dataset = open_or_ingest(stores, &arguments.data, &progress)?;
    let summary = sparkles::train(&dataset, &request, &options, &progress)?;
    output::summary(arguments.format, &summary, render)
}

/// The dataset at `text`; a plain folder of photos is ingested to one beside it.
fn open_or_ingest(stores: &Stores, text: &str, progress: &Bars) -> anyhow::Result<Dataset> {
    let root = Location::parse(text).map_err(Error::from)?;
    let is_folder = root.as_local().is_some_and(std::path::Path::is_dir);
    match Dataset::open(stores, &root) {
        Err(sparkles::DataError::NotADataset { .. }) if is_folder => {}
        other => return Ok(other.map_err(Error::from)?),
    }
    let beside = Location::parse(&format!("{root}.sparkles")).map_err(Error::from)?;
    let request = IngestRequest {
        images: vec![root.to_string()],
        least_classes: 2,
        update: true,
        ..IngestRequest::new(beside.clone())
    };
    if let Ok(dataset) = Dataset::open(stores, &beside)
        && !is_of_folder(&dataset, &root)
    {
        // Made with a label file, or of other folders as well: not to be touched.
        eprintln!(
            "using {beside}, a dataset of {}; `sparkles ingest … --update` takes new photos into it",
            dataset.manifest().sources.join(", ")
        );
        return Ok(dataset);
    }
    let (dataset, summary) = match sparkles::ingest(stores, &request, progress) {
        Err(Error::Data(sparkles::DataError::Exists { location })) => bail!(
            "`{location}` is in the way of the folder's dataset; take it in to another place: \
             `sparkles ingest --images {root} --out DATASET`"
        ),
        ingested => ingested?,
    };
    eprint!("{}", super::render_ingest(&summary));
    Ok(dataset)
}

/// Whether a dataset was made of the folder and nothing else.
fn is_of_folder(dataset: &Dataset, folder: &Location) -> bool {
    let manifest = dataset.manifest();
    let of_folder = match manifest.sources.as_slice() {
        [source] => *source == folder.to_string(),
        _ => false,
    };
    of_folder && manifest.sample_ids == "path"
}

pub(crate) fn render(summary: &TrainSummary) -> String {
    let mut out = format!(
        "{} to learn from, {} held back\n",
        counted(summary.rows, "row", "rows"),
        count(summary.held_back),
    );
    let labels = summary
        .label_counts
        .iter()
        .map(|(label, rows)| (label.as_str(), *rows));
    out.push_str(&bars(("label", "rows"), labels));
    for (reason, number) in &summary.dropped_by_reason {
        let _ = writeln!(
            out,
            "  {} left out: {}",
            count(*number),
            reason.replace('_', " ")
        );
    }
    if summary.machine_made > 0 {
        let _ = writeln!(
            out,
            "  {} with a confidence between 0 and 1 not used",
            counted(summary.machine_made, "label row", "label rows")
        );
    }
    let _ = writeln!(
        out,
        "{} features, L2 penalty {}: {} after {} (objective {:.6}), {} in all",
        summary.backbone,
        summary.reg_param,
        if summary.converged {
            "converged"
        } else {
            "not converged"
        },
        counted(summary.iterations as u64, "iteration", "iterations"),
        summary.objective,
        duration(summary.seconds),
    );
    if let Some(metrics) = &summary.held_back_metrics {
        out.push('\n');
        out.push_str(&render_metrics(metrics));
    }
    let _ = writeln!(out, "\nModel: {}", summary.model);
    out
}
