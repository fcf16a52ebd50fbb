//! Results on standard output, and in files.

mod scores;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use anyhow::Context as _;
use serde::Serialize;
use sparkles::{Error, Location, PredictionRow, Stores};

use crate::args::SummaryFormat;

pub(crate) use scores::{PredictionWriter, TagWriter};

/// Writes a summary: as one JSON object, or as the text that `render` makes.
pub(crate) fn summary<S: Serialize>(
    format: SummaryFormat,
    summary: &S,
    render: impl FnOnce(&S) -> String,
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        SummaryFormat::Text => out.write_all(render(summary).as_bytes())?,
        SummaryFormat::Json => {
            let mut text = serde_json::to_vec(summary)?;
            text.push(b'\n');
            out.write_all(&text)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// A file for every measured row; its extension says how it is written.
#[derive(Debug, Clone)]
pub(crate) struct PredictionsFile {
    location: Location,
    is_csv: bool,
}

impl FromStr for PredictionsFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let location = Location::parse(text).map_err(|error| error.to_string())?;
        let extension = Path::new(text).extension().map(OsStr::to_ascii_lowercase);
        let is_csv = match extension.as_deref().and_then(OsStr::to_str) {
            Some("csv") => true,
            Some("json" | "jsonl") => false,
            _ => return Err("expected a file that ends in .csv, .json or .jsonl".to_owned()),
        };
        Ok(Self { location, is_csv })
    }
}

impl PredictionsFile {
    /// Writes all rows or, after an error, nothing.
    pub(crate) fn write(
        &self,
        stores: &Stores,
        labels: &[String],
        rows: &[PredictionRow],
    ) -> anyhow::Result<()> {
        let mut text = Vec::new();
        if self.is_csv {
            write_csv(&mut text, labels, rows)
        } else {
            write_json(&mut text, labels, rows)
        }
        .with_context(|| format!("cannot write `{}`", self.location))?;
        Ok(stores
            .put(&self.location, text.into())
            .map_err(Error::from)?)
    }
}

fn write_csv(out: impl Write, labels: &[String], rows: &[PredictionRow]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let fixed = ["sample_id", "location", "label", "prediction"].map(str::to_owned);
    let probabilities = labels.iter().map(|label| format!("probability {label}"));
    writer.write_record(fixed.into_iter().chain(probabilities))?;
    for row in rows {
        let fixed = [&row.sample_id, &row.location, &row.label, &row.prediction];
        let values = row.probability.iter().map(ToString::to_string);
        writer.write_record(fixed.into_iter().cloned().chain(values))?;
    }
    writer.flush()
}

fn write_json(mut out: impl Write, labels: &[String], rows: &[PredictionRow]) -> io::Result<()> {
    for row in rows {
        let probability: serde_json::Map<String, serde_json::Value> = labels
            .iter()
            .cloned()
            .zip(row.probability.iter().map(|value| (*value).into()))
            .collect();
        let object = serde_json::json!({
            "sample_id": row.sample_id,
            "location": row.location,
            "label": row.label,
            "prediction": row.prediction,
            "probability": probability,
        });
        writeln!(out, "{object}")?;
    }
    out.flush()
}
