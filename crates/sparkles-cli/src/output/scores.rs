//! Predictions and tags, one photo after the other.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;
use sparkles::{Error, PhotoOutcome, Prediction, Refusal, TaggedPhoto};

use crate::args::PredictionFormat;
use crate::text;

/// Standard output, in the format that was asked for.
struct ScoreWriter {
    format: PredictionFormat,
    out: BufWriter<Stdout>,
    begun: bool,
}

impl ScoreWriter {
    fn new(format: PredictionFormat) -> Self {
        Self {
            format,
            out: BufWriter::new(io::stdout()),
            begun: false,
        }
    }

    /// Writes one outcome; a person sees it at once. `header` and `rows` make the
    /// records of CSV, `line` what is said of a photo in text.
    fn write<T: Serialize>(
        &mut self,
        outcome: &PhotoOutcome<T>,
        header: impl FnOnce() -> Vec<String>,
        rows: impl FnOnce(Result<&T, (&str, String)>) -> Vec<Vec<String>>,
        line: impl FnOnce(&T) -> (&str, String),
    ) -> Result<(), Error> {
        let written = match self.format {
            PredictionFormat::Json => self.write_json(outcome),
            PredictionFormat::Csv => self.write_csv(outcome, header, rows),
            PredictionFormat::Text => self.write_text(outcome, line),
        };
        written
            .and_then(|()| self.out.flush())
            .map_err(|source| Error::Output {
                location: "standard output".to_owned(),
                source,
            })
    }

    fn write_json<T: Serialize>(&mut self, outcome: &PhotoOutcome<T>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, outcome)?;
        writeln!(self.out)
    }

    fn write_csv<T>(
        &mut self,
        outcome: &PhotoOutcome<T>,
        header: impl FnOnce() -> Vec<String>,
        rows: impl FnOnce(Result<&T, (&str, String)>) -> Vec<Vec<String>>,
    ) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        if !self.begun {
            self.begun = true;
            writer.write_record(header())?;
        }
        let rows = match outcome {
            PhotoOutcome::Scored(score) => rows(Ok(score)),
            PhotoOutcome::Refused { location, error } => rows(Err((
                location,
                format!("{}: {}", error.reason, error.message),
            ))),
        };
        for row in rows {
            writer.write_record(row)?;
        }
        writer.flush()
    }

    fn write_text<T>(
        &mut self,
        outcome: &PhotoOutcome<T>,
        line: impl FnOnce(&T) -> (&str, String),
    ) -> io::Result<()> {
        match outcome {
            PhotoOutcome::Scored(score) => {
                let (location, shown) = line(score);
                writeln!(self.out, "{}  {shown}", text::location(location))
            }
            PhotoOutcome::Refused {
                location,
                error: Refusal { reason, message },
            } => writeln!(
                self.out,
                "{}  refused ({reason}): {}",
                text::location(location),
                text::clean(message)
            ),
        }
    }
}

/// `label 97 %, other 3 %`.
fn ranked<'a>(pairs: impl Iterator<Item = (&'a str, f64)>) -> String {
    let shown: Vec<String> = pairs
        .map(|(name, value)| format!("{} {}", text::clean(name), text::percent(value)))
        .collect();
    shown.join(", ")
}

/// Writes predictions one by one.
pub(crate) struct PredictionWriter {
    out: ScoreWriter,
    top: usize,
    labels: Vec<String>,
}

impl PredictionWriter {
    pub(crate) fn new(format: PredictionFormat, top: usize, labels: &[String]) -> Self {
        Self {
            out: ScoreWriter::new(format),
            top,
            labels: labels.to_vec(),
        }
    }

    pub(crate) fn write(&mut self, outcome: &PhotoOutcome<Prediction>) -> Result<(), Error> {
        let labels = &self.labels;
        let header = || {
            let fixed = ["location", "sample_id", "prediction", "error"].map(str::to_owned);
            let labels = labels.iter().map(|label| format!("probability {label}"));
            fixed.into_iter().chain(labels).collect()
        };
        let rows = |score: Result<&Prediction, (&str, String)>| {
            let row: Vec<String> = match score {
                Ok(prediction) => [
                    prediction.location.clone(),
                    prediction.sample_id.clone(),
                    prediction.prediction.clone(),
                    String::new(),
                ]
                .into_iter()
                .chain(prediction.probability.iter().map(|pair| pair.1.to_string()))
                .collect(),
                Err((location, error)) => {
                    [location.to_owned(), String::new(), String::new(), error]
                        .into_iter()
                        .chain(labels.iter().map(|_| String::new()))
                        .collect()
                }
            };
            vec![row]
        };
        let top = self.top;
        self.out.write(outcome, header, rows, |prediction| {
            let mut pairs: Vec<(&str, f64)> = prediction
                .probability
                .iter()
                .map(|(label, value)| (label.as_str(), *value))
                .collect();
            pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
            (&prediction.location, ranked(pairs.into_iter().take(top)))
        })
    }
}

/// Writes tags one photo after the other.
pub(crate) struct TagWriter {
    out: ScoreWriter,
}

impl TagWriter {
    pub(crate) fn new(format: PredictionFormat) -> Self {
        Self {
            out: ScoreWriter::new(format),
        }
    }

    pub(crate) fn write(&mut self, outcome: &PhotoOutcome<TaggedPhoto>) -> Result<(), Error> {
        const HEADER: [&str; 7] = [
            "location",
            "rank",
            "class_index",
            "class",
            "wordnet_id",
            "probability",
            "error",
        ];
        let header = || HEADER.map(str::to_owned).to_vec();
        let rows = |score: Result<&TaggedPhoto, (&str, String)>| match score {
            Ok(photo) => photo
                .tags
                .iter()
                .enumerate()
                .map(|(at, tag)| {
                    vec![
                        photo.location.clone(),
                        (at + 1).to_string(),
                        tag.class_index.to_string(),
                        tag.class.clone(),
                        tag.wordnet_id.clone().unwrap_or_default(),
                        tag.probability.to_string(),
                        String::new(),
                    ]
                })
                .collect(),
            Err((location, error)) => {
                let mut row = vec![String::new(); HEADER.len()];
                if let [first, .., last] = row.as_mut_slice() {
                    location.clone_into(first);
                    *last = error;
                }
                vec![row]
            }
        };
        self.out.write(outcome, header, rows, |photo| {
            let tags = photo.tags.iter();
            (
                &photo.location,
                ranked(tags.map(|tag| (tag.class.as_str(), tag.probability))),
            )
        })
    }
}
