//! `README.md` of a model: what it was trained on, how good it is, what it is not for.

use std::fmt::Write as _;

use sparkles_vision::BackboneCard;

use crate::SavedPipeline;

/// The model card, in Markdown.
pub(crate) fn write(pipeline: &SavedPipeline, backbone: &BackboneCard) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = compose(&mut text, pipeline, backbone);
    text
}

fn compose(
    text: &mut String,
    pipeline: &SavedPipeline,
    backbone: &BackboneCard,
) -> std::fmt::Result {
    let training = &pipeline.training;
    let labels = &pipeline.stages.string_indexer.labels;
    let shown: Vec<String> = labels.iter().take(12).map(|label| escape(label)).collect();
    let more = labels.len().saturating_sub(shown.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    writeln!(text, "# Image classifier: {}{more}\n", shown.join(", "))?;
    writeln!(
        text,
        "Made by {}: {} as featurizer, then logistic regression.\n",
        pipeline.library, pipeline.stages.featurizer.backbone
    )?;
    writeln!(text, "## What it was trained on\n")?;
    writeln!(
        text,
        "{} rows of dataset `{}`:\n",
        training.rows, training.dataset_id
    )?;
    writeln!(text, "| label | rows |\n|---|---|")?;
    for (label, rows) in &training.label_counts {
        writeln!(text, "| {} | {rows} |", escape(label))?;
    }
    for (reason, count) in &training.dropped {
        writeln!(text, "\nLeft out: {count} ({}).", reason.replace('_', " "))?;
    }
    writeln!(
        text,
        "\nSplit {} by the hash of the sample's id, seed {}.\n",
        training.split, training.seed
    )?;
    writeln!(text, "## How good it is\n")?;
    match &pipeline.metrics {
        None => writeln!(text, "Not known: no row was held back.\n")?,
        Some(metrics) => {
            writeln!(
                text,
                "On {} rows that it had not seen: accuracy {:.4} (95 % interval {:.4} to {:.4}), \
                 macro F1 {:.4}, log loss {:.4}.\n",
                metrics.rows,
                metrics.accuracy,
                metrics.accuracy_interval[0],
                metrics.accuracy_interval[1],
                metrics.macro_f1,
                metrics.log_loss,
            )?;
            writeln!(
                text,
                "| label | precision | recall | F1 | rows |\n|---|---|---|---|---|"
            )?;
            for row in &metrics.per_label {
                writeln!(
                    text,
                    "| {} | {:.4} | {:.4} | {:.4} | {} |",
                    escape(&row.label),
                    row.precision,
                    row.recall,
                    row.f1,
                    row.support
                )?;
            }
            writeln!(text)?;
        }
    }
    writeln!(text, "## What it is not for\n")?;
    writeln!(
        text,
        "It knows these {} labels and nothing else: a photo of something else gets one of them \
         all the same. Photos of another kind than those it was trained on (another camera, \
         place, season, drawing instead of photo) may be predicted worse than the figures above \
         say. The labels were taken as they are; their mistakes are in the model.\n",
        labels.len()
    )?;
    writeln!(text, "## Backbone\n")?;
    writeln!(
        text,
        "{}: {}, licence {}. Its file has the BLAKE3 hash `{}`.",
        pipeline.stages.featurizer.backbone,
        backbone.source,
        backbone.license,
        pipeline.stages.featurizer.backbone_hash
    )
}

/// A label as text of a Markdown table: on one line, its marks taken literally.
fn escape(label: &str) -> String {
    let mut text = String::with_capacity(label.len());
    for character in label.chars().take(200) {
        match character {
            '|' | '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' => {
                text.push('\\');
                text.push(character);
            }
            character if character.is_control() => text.push(' '),
            character => text.push(character),
        }
    }
    text
}
