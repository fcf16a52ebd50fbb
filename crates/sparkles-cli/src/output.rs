//! Results on standard output, and in files.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use anyhow::Context as _;
use serde::Serialize;
use sparkles::{Error, Location, PredictOutcome, PredictionRow, Stores};

use crate::args::{PredictionFormat, SummaryFormat};
use crate::text;

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

/// Writes predictions one by one, in the format that was asked for.
pub(crate) struct PredictionWriter {
    format: PredictionFormat,
    top: usize,
    labels: Vec<String>,
    out: BufWriter<io::Stdout>,
    begun: bool,
}

impl PredictionWriter {
    pub(crate) fn new(format: PredictionFormat, top: usize, labels: &[String]) -> Self {
        Self {
            format,
            top,
            labels: labels.to_vec(),
            out: BufWriter::new(io::stdout()),
            begun: false,
        }
    }

    /// Writes one outcome; a person sees it at once.
    pub(crate) fn write(&mut self, outcome: &PredictOutcome) -> io::Result<()> {
        match self.format {
            PredictionFormat::Json => {
                serde_json::to_writer(&mut self.out, outcome)?;
                writeln!(self.out)?;
            }
            PredictionFormat::Csv => self.write_csv(outcome)?,
            PredictionFormat::Text => self.write_text(outcome)?,
        }
        self.out.flush()
    }

    fn write_csv(&mut self, outcome: &PredictOutcome) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        if !self.begun {
            self.begun = true;
            let fixed = ["location", "sample_id", "prediction", "error"].map(str::to_owned);
            let labels = self
                .labels
                .iter()
                .map(|label| format!("probability {label}"));
            writer.write_record(fixed.into_iter().chain(labels))?;
        }
        match outcome {
            PredictOutcome::Predicted(prediction) => {
                let fixed = [
                    prediction.location.clone(),
                    prediction.sample_id.clone(),
                    prediction.prediction.clone(),
                    String::new(),
                ];
                let values = prediction
                    .probability
                    .iter()
                    .map(|(_, value)| value.to_string());
                writer.write_record(fixed.into_iter().chain(values))?;
            }
            PredictOutcome::Refused { location, error } => {
                let fixed = [
                    location.clone(),
                    String::new(),
                    String::new(),
                    format!("{}: {}", error.reason, error.message),
                ];
                let empty = self.labels.iter().map(|_| String::new());
                writer.write_record(fixed.into_iter().chain(empty))?;
            }
        }
        writer.flush()
    }

    fn write_text(&mut self, outcome: &PredictOutcome) -> io::Result<()> {
        match outcome {
            PredictOutcome::Predicted(prediction) => {
                let mut pairs = prediction.probability.clone();
                pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
                let shown: Vec<String> = pairs
                    .iter()
                    .take(self.top)
                    .map(|(label, value)| {
                        format!("{} {}", text::clean(label), text::percent(*value))
                    })
                    .collect();
                let location = text::location(&prediction.location);
                writeln!(self.out, "{location}  {}", shown.join(", "))
            }
            PredictOutcome::Refused { location, error } => writeln!(
                self.out,
                "{}  refused ({}): {}",
                text::location(location),
                error.reason,
                text::clean(&error.message)
            ),
        }
    }
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
