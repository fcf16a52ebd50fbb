//! `sparkles model`.

use sparkles::{Error, ExportSummary, Location, MemorySize, Model, Stores};

use crate::args::{ModelAction, ModelFormat};
use crate::output;
use crate::text::clean;

pub(crate) fn model(stores: &Stores, action: &ModelAction) -> anyhow::Result<()> {
    let ModelAction::Export(arguments) = action;
    let parse = |text: &str| Location::parse(text).map_err(Error::from);
    let model = Model::load(stores, &parse(&arguments.model)?)?;
    let summary = match arguments.to {
        ModelFormat::Onnx => sparkles::export(stores, &model, &parse(&arguments.out)?)?,
    };
    output::summary(arguments.format, &summary, render)
}

fn render(summary: &ExportSummary) -> String {
    let labels: Vec<String> = summary.labels.iter().map(|label| clean(label)).collect();
    format!(
        "{} of {} and a classifier of {}\n  input `{}`; outputs `{}` (images × {}), `{}` (label index), `{}`\n\nFile: {}\n",
        MemorySize(summary.bytes),
        clean(&summary.backbone),
        labels.join(", "),
        clean(&summary.input),
        summary.probability,
        labels.len(),
        summary.prediction,
        clean(&summary.features),
        summary.file,
    )
}
