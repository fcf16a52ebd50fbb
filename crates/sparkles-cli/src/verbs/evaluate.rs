//! `sparkles evaluate`.

use std::fmt::Write as _;

use sparkles::{Error, EvaluateRequest, EvaluateSummary, Location, Model, Stores};

use crate::args::EvaluateArguments;
use crate::output;
use crate::progress::Bars;
use crate::text::{Align, clean, count, counted, location, percent, section, table};

pub(crate) fn evaluate(stores: &Stores, arguments: &EvaluateArguments) -> anyhow::Result<()> {
    let root = Location::parse(&arguments.model).map_err(Error::from)?;
    let model = Model::load(stores, &root)?;
    let dataset = arguments
        .dataset
        .as_deref()
        .map(Location::parse)
        .transpose();
    let request = EvaluateRequest {
        dataset: dataset.map_err(Error::from)?,
        on: arguments.on,
    };
    let options = arguments.machine.options();
    let (summary, rows) = sparkles::evaluate(stores, &model, &request, &options, &Bars::default())?;
    if let Some(file) = &arguments.predictions {
        file.write(stores, model.labels(), &rows)?;
    }
    output::summary(arguments.format, &summary, render)
}

pub(crate) fn render(summary: &EvaluateSummary) -> String {
    let mut out = render_metrics(summary);
    for (reason, number) in &summary.dropped_by_reason {
        let _ = writeln!(
            out,
            "  {} of the dataset left out: {}",
            counted(*number, "photo", "photos"),
            reason.replace('_', " ")
        );
    }
    if summary.mistakes.is_empty() {
        out.push_str("\nNo mistake\n");
        return out;
    }
    let rows: Vec<Vec<String>> = summary
        .mistakes
        .iter()
        .map(|mistake| {
            vec![
                mistake.label.clone(),
                mistake.prediction.clone(),
                percent(mistake.probability),
                location(&mistake.location),
            ]
        })
        .collect();
    let header = [
        ("label", Align::Left),
        ("prediction", Align::Left),
        ("probability", Align::Right),
        ("photo", Align::Left),
    ];
    section(
        &mut out,
        "Worst mistakes (the surest first; perhaps the label is wrong)",
        &table(&header, &rows),
    );
    out
}

/// The numbers, without the mistakes.
pub(crate) fn render_metrics(summary: &EvaluateSummary) -> String {
    let on = match summary.on.as_str() {
        "test" => "held back for testing",
        "validation" => "held back for validation",
        "train" => "that it has learned from",
        _ => "of all parts",
    };
    let [low, high] = summary.accuracy_interval;
    let mut out = format!(
        "Accuracy {} on {} {on} (95 % interval {} to {})\n",
        percent(summary.accuracy),
        counted(summary.rows, "row", "rows"),
        percent(low),
        percent(high),
    );
    let _ = write!(
        out,
        "F1 {:.4} weighted, {:.4} macro · log loss {:.4}",
        summary.weighted_f1, summary.macro_f1, summary.log_loss
    );
    if let (Some(roc), Some(pr)) = (summary.area_under_roc, summary.area_under_pr) {
        let of = match &summary.positive_label {
            Some(label) => format!(" (of {})", clean(label)),
            None => " (mean of each label against the rest)".to_owned(),
        };
        let _ = write!(out, " · area under ROC {roc:.4}, under PR {pr:.4}{of}");
    }
    out.push('\n');
    if summary.left_out > 0 {
        let _ = writeln!(
            out,
            "  {} left out: no features, or a label that the model does not know",
            counted(summary.left_out, "row", "rows")
        );
    }
    if summary.learned_from > 0 && summary.on != "train" {
        let rows = counted(summary.learned_from, "row", "rows");
        let _ = match summary.on.as_str() {
            "all" => writeln!(out, "  the model has learned from {rows} of them"),
            _ => writeln!(
                out,
                "  {rows} left out: the model has learned from the same photo"
            ),
        };
    }
    let rows: Vec<Vec<String>> = summary
        .per_label
        .iter()
        .map(|label| {
            vec![
                label.label.clone(),
                format!("{:.4}", label.precision),
                format!("{:.4}", label.recall),
                format!("{:.4}", label.f1),
                count(label.support),
            ]
        })
        .collect();
    let header = [
        ("label", Align::Left),
        ("precision", Align::Right),
        ("recall", Align::Right),
        ("F1", Align::Right),
        ("rows", Align::Right),
    ];
    section(&mut out, "By label", &table(&header, &rows));
    confusion(&mut out, summary);
    out
}

/// The confusion matrix, where it fits a terminal.
fn confusion(out: &mut String, summary: &EvaluateSummary) {
    let labels = &summary.confusion.labels;
    if labels.len() > 12 {
        let _ = writeln!(
            out,
            "\nThe confusion matrix of {} labels is in `--format json`",
            labels.len()
        );
        return;
    }
    let names: Vec<String> = labels
        .iter()
        .map(|label| format!("→ {}", clean(label)))
        .collect();
    let mut header = vec![("label", Align::Left)];
    header.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    let rows: Vec<Vec<String>> = labels
        .iter()
        .zip(&summary.confusion.counts)
        .map(|(label, counts)| {
            std::iter::once(label.clone())
                .chain(counts.iter().map(|number| count(*number)))
                .collect()
        })
        .collect();
    section(out, "Predicted as", &table(&header, &rows));
}
