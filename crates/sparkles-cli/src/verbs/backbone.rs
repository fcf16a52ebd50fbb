//! `sparkles backbone`.

use std::fmt::Write as _;

use anyhow::bail;
use sparkles::{
    BackboneCard, CheckSummary, CutRequest, Endpoint, Error, InspectSummary, ListedBackbone,
    Location, MemorySize, PullRequest, PullSummary, Stores, WeightSource,
};

use crate::args::{BackboneAction, CutArguments, InspectArguments, PullArguments};
use crate::output;
use crate::progress::Bars;
use crate::text::{Align, clean, count, duration, section, table};

pub(crate) fn backbone(stores: &Stores, action: &BackboneAction) -> anyhow::Result<()> {
    match action {
        BackboneAction::List(arguments) => {
            let listed = sparkles::list_backbones(stores)?;
            output::summary(arguments.format, &listed, |listed| render_list(listed))
        }
        BackboneAction::Pull(arguments) => pull(stores, arguments),
        BackboneAction::Inspect(arguments) => inspect(stores, arguments),
        BackboneAction::Cut(arguments) => cut(stores, arguments),
        BackboneAction::Check(arguments) => {
            let summary =
                sparkles::check_backbone(stores, &arguments.name, arguments.engine.engine)?;
            output::summary(arguments.format, &summary, render_check)?;
            if !summary.agrees {
                bail!("it makes other features than it did when it was written");
            }
            Ok(())
        }
    }
}

fn pull(stores: &Stores, arguments: &PullArguments) -> anyhow::Result<()> {
    let parse = |text: &str| Location::parse(text).map_err(Error::from);
    let weights = match (&arguments.from, arguments.random) {
        (Some(file), _) => WeightSource::File(parse(file)?),
        (None, Some(seed)) => WeightSource::Random(seed),
        (None, None) => WeightSource::Hub,
    };
    let request = PullRequest {
        architecture: arguments.name,
        weights,
        out: arguments.out.as_deref().map(parse).transpose()?,
    };
    let summary = sparkles::pull_backbone(stores, &request, &Bars::default())?;
    output::summary(arguments.format, &summary, render_pull)
}

fn cut(stores: &Stores, arguments: &CutArguments) -> anyhow::Result<()> {
    let parse = |text: &str| Location::parse(text).map_err(Error::from);
    let request = CutRequest {
        file: arguments.file.clone(),
        output: arguments.output.clone(),
        pooling: arguments.pooling,
        card: arguments.card.settings(),
        classes: arguments.card.classes.as_deref().map(parse).transpose()?,
        out: parse(&arguments.out)?,
    };
    let summary = sparkles::cut_backbone(stores, &request, &Bars::default())?;
    output::summary(arguments.format, &summary, render_pull)
}

fn inspect(stores: &Stores, arguments: &InspectArguments) -> anyhow::Result<()> {
    let summary = sparkles::inspect_backbone(stores, &arguments.name, arguments.batch.get())?;
    output::summary(arguments.format, &summary, |summary| {
        let mut out = render_inspect(summary);
        if arguments.values {
            let values = &summary.inspection.values;
            let rows: Vec<Vec<String>> = values
                .iter()
                .map(|(name, operator)| vec![name.clone(), operator.clone()])
                .collect();
            let header = [("value", Align::Left), ("operator", Align::Left)];
            section(&mut out, "Values", &table(&header, &rows));
        }
        out
    })
}

fn render_list(listed: &[ListedBackbone]) -> String {
    let rows: Vec<Vec<String>> = listed
        .iter()
        .map(|backbone| {
            let note = backbone.error.as_ref().or(backbone.source.as_ref());
            vec![
                backbone.name.clone(),
                backbone.state.clone(),
                backbone
                    .dimension
                    .map_or_else(String::new, |dimension| count(dimension as u64)),
                backbone
                    .bytes
                    .map_or_else(String::new, |bytes| MemorySize(bytes).to_string()),
                backbone.license.clone().unwrap_or_default(),
                note.cloned().unwrap_or_default(),
            ]
        })
        .collect();
    let header = [
        ("backbone", Align::Left),
        ("state", Align::Left),
        ("features", Align::Right),
        ("file", Align::Right),
        ("licence", Align::Left),
        ("weights", Align::Left),
    ];
    table(&header, &rows)
}

fn render_pull(summary: &PullSummary) -> String {
    let mut out = format!(
        "{}: {} features a photo ({} as 32-bit floats), {} in {}\n",
        clean(&summary.name),
        count(summary.dimension as u64),
        MemorySize(4 * summary.dimension as u64),
        MemorySize(summary.bytes),
        duration(summary.seconds),
    );
    if let Some(sha256) = &summary.weights_sha256 {
        let _ = writeln!(out, "  weights: sha256 {sha256}");
    }
    let _ = writeln!(out, "\nBackbone: {}", summary.file);
    out
}

fn render_inspect(summary: &InspectSummary) -> String {
    let inspection = &summary.inspection;
    let mut out = format!(
        "{}\n  {} by {}, file format {}, operators of version {}\n",
        summary.file,
        MemorySize(summary.bytes),
        match inspection.producer.as_str() {
            "" => "an unknown program".to_owned(),
            producer => clean(producer),
        },
        inspection.ir_version,
        inspection.opset,
    );
    let _ = write!(out, "  {} parameters", count(inspection.parameters));
    if let Some(multiply_adds) = inspection.multiply_adds {
        let _ = write!(out, ", {} multiply-adds an image", count(multiply_adds));
    }
    if let Some(memory) = summary.memory_bytes {
        let _ = write!(
            out,
            ", about {} of memory at batch {}",
            MemorySize(memory),
            inspection.batch
        );
    }
    out.push('\n');
    let endpoint = |what: &str, endpoint: &Endpoint| {
        let axes: Vec<String> = endpoint
            .shape
            .iter()
            .map(|axis| axis.map_or_else(|| "?".to_owned(), |axis| axis.to_string()))
            .collect();
        vec![what.to_owned(), endpoint.name.clone(), axes.join(" × ")]
    };
    let rows: Vec<Vec<String>> = inspection
        .inputs
        .iter()
        .map(|input| endpoint("input", input))
        .chain(
            inspection
                .outputs
                .iter()
                .map(|output| endpoint("output", output)),
        )
        .collect();
    let header = [
        ("", Align::Left),
        ("name", Align::Left),
        ("shape", Align::Left),
    ];
    section(&mut out, "Ends", &table(&header, &rows));
    let operators: Vec<String> = inspection
        .operators
        .iter()
        .map(|(operator, number)| format!("{} {}", count(*number), clean(operator)))
        .collect();
    let _ = writeln!(out, "\nOperators: {}", operators.join(", "));
    if !inspection.unsupported.is_empty() {
        out.push_str("\nThe engine cannot run:\n");
        for operator in &inspection.unsupported {
            let _ = writeln!(out, "  {}", clean(operator));
        }
    }
    match (&summary.card, &summary.card_error) {
        (card, Some(error)) => {
            let what = if card.is_some() {
                "As a backbone"
            } else {
                "Card"
            };
            let _ = writeln!(out, "\n{what}: {}", clean(error));
        }
        (Some(card), None) => render_card(&mut out, card),
        (None, None) => {
            out.push_str(
                "\nNo card: `sparkles backbone cut` makes a backbone of it that carries one\n",
            );
        }
    }
    out
}

fn render_card(out: &mut String, card: &BackboneCard) {
    let channels = |values: [f32; 3]| values.map(|value| value.to_string()).join(", ");
    let mut rows = vec![
        ("name", format!("{} {}", card.name, card.version)),
        ("licence", card.license.clone()),
        ("source", card.source.clone()),
        (
            "input",
            format!(
                "{} × {} {}, pixels {}",
                card.height,
                card.width,
                card.channel_order.name(),
                card.pixel_range.name()
            ),
        ),
        (
            "resize",
            format!(
                "{}, {}{}",
                card.resize_filter.name(),
                card.resize_policy.name(),
                if card.crop_fraction < 1.0 {
                    format!(" ({} of the shorter side)", card.crop_fraction)
                } else {
                    String::new()
                }
            ),
        ),
        ("mean", channels(card.mean)),
        ("std", channels(card.standard_deviation)),
        (
            "features",
            format!("{} of `{}`", card.feature_dimension, card.feature_output),
        ),
    ];
    if let Some(logits) = &card.logits_output {
        let classes = card
            .class_count
            .map_or_else(String::new, |count| format!(": {count} classes"));
        rows.push(("classifier", format!("`{logits}`{classes}")));
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(key, value)| vec![key.to_owned(), value])
        .collect();
    let header = [("", Align::Left), ("", Align::Left)];
    section(out, "Card", &table(&header, &rows));
}

fn render_check(summary: &CheckSummary) -> String {
    format!(
        "{}: {} (largest difference {:.1e} of the norm, run by {})\n",
        clean(&summary.name),
        if summary.agrees {
            "makes the features that it made when it was written"
        } else {
            "makes OTHER features than when it was written"
        },
        summary.difference,
        summary.engine,
    )
}
