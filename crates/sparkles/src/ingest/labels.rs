//! Label files: recognised by content, read row by row.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use sparkles_data::{Label, Location, Reject, RejectReason, Stage, Stores};

use super::images::{Candidate, Gathered, relative_to};
use super::{IngestRequest, source};
use crate::Error;

/// Usual names of a column of locations, in lower case.
const LOCATION_COLUMNS: [&str; 14] = [
    "location",
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "image_file",
    "img",
    "uri",
    "url",
    "origin",
];
/// Usual names of a column of labels, in lower case.
const LABEL_COLUMNS: [&str; 8] = [
    "label",
    "class",
    "category",
    "label_name",
    "class_name",
    "labelname",
    "target",
    "tag",
];

/// A label file that was recognised.
pub(super) enum LabelFile {
    /// `ImageID,Source,LabelName,Confidence`.
    OpenImages(OpenImagesFile),
    /// CSV or Parquet with a location and a label column.
    Table(LabelTable),
}

/// A label CSV in the format of Open Images.
pub(super) struct OpenImagesFile {
    stores: Stores,
    location: Location,
    delimiter: u8,
    image_id: usize,
    source: Option<usize>,
    label_name: usize,
    confidence: usize,
}

/// A table of locations and labels; small beside the photos, so it is held.
pub(super) struct LabelTable {
    location: Location,
    rows: Vec<TableRow>,
}

struct TableRow {
    line: u64,
    location: String,
    label: String,
    confidence: Option<String>,
}

/// Opens a label file and tells what it is by its first bytes and its header.
pub(super) fn recognise(
    stores: &Stores,
    text: &str,
    request: &IngestRequest,
) -> Result<LabelFile, Error> {
    let location = Location::parse(text)?;
    let mut reader = stores.reader(&location)?;
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(64 * 1024)
        .read_to_end(&mut head)
        .map_err(|error| Error::label_file(text, error.to_string()))?;
    if head.starts_with(b"PAR1") {
        return parquet_table(stores, location, request).map(LabelFile::Table);
    }
    if head.contains(&0) {
        return Err(Error::label_file(
            text,
            "it is neither CSV nor Parquet".to_owned(),
        ));
    }
    if head.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::label_file(text, "it is empty".to_owned()));
    }
    let first_line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let delimiter = [b',', b'\t', b';']
        .into_iter()
        .max_by_key(|delimiter| {
            let count = first_line.split(|byte| byte == delimiter).count();
            // The first of equals wins: commas.
            (count, *delimiter == b',')
        })
        .unwrap_or(b',');
    let mut csv = csv_reader(stores, &location, delimiter)?;
    let header = csv
        .headers()
        .map_err(|error| Error::label_file(text, error.to_string()))?;
    let columns: Vec<String> = header
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let position = |wanted: &str| {
        columns
            .iter()
            .position(|name| name.eq_ignore_ascii_case(wanted))
    };
    if let Some(image_id) = position("ImageID") {
        let required = |name: &'static str| {
            position(name).ok_or_else(|| Error::LabelColumn {
                file: text.to_owned(),
                column: name.to_owned(),
                columns: columns.join("`, `"),
            })
        };
        return Ok(LabelFile::OpenImages(OpenImagesFile {
            stores: stores.clone(),
            image_id,
            source: position("Source"),
            label_name: required("LabelName")?,
            confidence: required("Confidence")?,
            location,
            delimiter,
        }));
    }
    let picked = pick_columns(text, &columns, request)?;
    let mut rows = Vec::new();
    for record in csv.byte_records() {
        let record = record.map_err(|error| Error::label_file(text, error.to_string()))?;
        let field = |index: usize| {
            let bytes = record.get(index).unwrap_or_default();
            String::from_utf8_lossy(bytes).trim().to_owned()
        };
        rows.push(TableRow {
            line: record.position().map_or(0, csv::Position::line),
            location: field(picked.location),
            label: field(picked.label),
            confidence: picked.confidence.map(field),
        });
    }
    Ok(LabelFile::Table(LabelTable { location, rows }))
}

fn csv_reader(
    stores: &Stores,
    location: &Location,
    delimiter: u8,
) -> Result<csv::Reader<impl Read + use<>>, Error> {
    Ok(csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(stores.reader(location)?))
}

struct Picked {
    location: usize,
    label: usize,
    confidence: Option<usize>,
}

fn pick_columns(file: &str, columns: &[String], request: &IngestRequest) -> Result<Picked, Error> {
    let pick = |asked: &Option<String>, usual: &[&str], what: &str| {
        let found = match asked {
            Some(asked) => columns.iter().position(|name| name == asked),
            None => usual.iter().find_map(|usual| {
                columns
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(usual))
            }),
        };
        found.ok_or_else(|| match asked {
            Some(asked) => Error::LabelColumn {
                file: file.to_owned(),
                column: asked.clone(),
                columns: columns.join("`, `"),
            },
            None => Error::UnknownLabelFile {
                file: file.to_owned(),
                what: what.to_owned(),
                columns: columns.join("`, `"),
            },
        })
    };
    Ok(Picked {
        location: pick(&request.location_column, &LOCATION_COLUMNS, "location")?,
        label: pick(&request.label_column, &LABEL_COLUMNS, "label")?,
        confidence: columns
            .iter()
            .position(|name| name.eq_ignore_ascii_case("confidence")),
    })
}

fn parquet_table(
    stores: &Stores,
    location: Location,
    request: &IngestRequest,
) -> Result<LabelTable, Error> {
    let file = location.to_string();
    let table = sparkles_data::read_text_table(&location, stores.read(&location)?)?;
    let picked = pick_columns(&file, &table.columns, request)?;
    let rows = table
        .rows
        .into_iter()
        .enumerate()
        .map(|(index, mut row)| {
            let mut field =
                |index: usize| row.get_mut(index).map(std::mem::take).unwrap_or_default();
            TableRow {
                line: index as u64 + 1,
                confidence: picked.confidence.map(&mut field),
                location: field(picked.location),
                label: field(picked.label),
            }
        })
        .collect();
    Ok(LabelTable { location, rows })
}

impl OpenImagesFile {
    /// Calls `take` with each row; rows that cannot be used go to the ledger.
    pub(super) fn visit(
        &self,
        rejects: &mut Vec<Reject>,
        mut take: impl FnMut(Label) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let file = self.location.to_string();
        let mut csv = csv_reader(&self.stores, &self.location, self.delimiter)?;
        let mut record = csv::StringRecord::new();
        loop {
            let line = csv.position().line();
            match csv.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    if error.is_io_error() {
                        return Err(Error::label_file(&file, error.to_string()));
                    }
                    rejects.push(bad_row(&file, line, None, "the row is not UTF-8"));
                    continue;
                }
            }
            let line = record.position().map_or(line, csv::Position::line);
            let field = |index: usize| record.get(index).map(str::trim).unwrap_or_default();
            let (id, label_name) = (field(self.image_id), field(self.label_name));
            let confidence = field(self.confidence);
            if id.is_empty() || label_name.is_empty() {
                let message = "the row has no image id or no label name";
                rejects.push(bad_row(&file, line, None, message));
                continue;
            }
            let Some(confidence) = parse_confidence(confidence) else {
                let message = format!("confidence `{confidence}` is no number from 0 to 1");
                rejects.push(bad_row(&file, line, Some(id), &message));
                continue;
            };
            take(Label {
                sample_id: id.to_owned(),
                source: self.source.map(field).unwrap_or_default().to_owned(),
                label_name: label_name.to_owned(),
                confidence,
            })?;
        }
    }
}

fn parse_confidence(text: &str) -> Option<f32> {
    let value: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&value).then_some(value)
}

fn bad_row(file: &str, line: u64, id: Option<&str>, message: &str) -> Reject {
    Reject {
        location: file.to_owned(),
        sample_id: id.map(str::to_owned),
        stage: Stage::Labels,
        feature_key: None,
        reason: RejectReason::BadLabelRow,
        message: format!("line {line}: {message}"),
        version: None,
    }
}

impl LabelTable {
    /// The images that the table names.
    pub(super) fn images(&self) -> Gathered {
        let folder = self.location.as_local().and_then(std::path::Path::parent);
        let folder = folder.map(std::path::Path::to_owned).unwrap_or_default();
        let mut seen = BTreeSet::new();
        for row in self.rows.iter().filter(|row| !row.location.is_empty()) {
            // What cannot be resolved is a line in the ledger when labels are read.
            if let Ok(location) = source::resolve(&row.location, &self.location) {
                seen.insert(location);
            }
        }
        let candidates = seen
            .into_iter()
            .map(|location| Candidate {
                address: location.to_string(),
                relative: relative_to(&location, &folder),
                class_folder: None,
                location,
            })
            .collect();
        Gathered {
            candidates,
            rejects: Vec::new(),
        }
    }

    /// Calls `take` with each row; `ids` gives the sample id of a location and
    /// `by_relative` that of a path below the images' root. A row of an image that
    /// was not found keeps its location as the id.
    pub(super) fn visit(
        &self,
        ids: &HashMap<&str, &str>,
        by_relative: &HashMap<&str, &str>,
        rejects: &mut Vec<Reject>,
        mut take: impl FnMut(Label) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let file = self.location.to_string();
        for row in &self.rows {
            if row.location.is_empty() || row.label.is_empty() {
                let message = "the row has no location or no label";
                rejects.push(bad_row(&file, row.line, None, message));
                continue;
            }
            let confidence = match row.confidence.as_deref() {
                None | Some("") => Some(1.0),
                Some(text) => parse_confidence(text),
            };
            let Some(confidence) = confidence else {
                let text = row.confidence.as_deref().unwrap_or_default();
                let message = format!("confidence `{text}` is no number from 0 to 1");
                rejects.push(bad_row(&file, row.line, None, &message));
                continue;
            };
            let Ok(address) = source::resolve(&row.location, &self.location) else {
                let message = format!("`{}` is no location", row.location);
                rejects.push(bad_row(&file, row.line, None, &message));
                continue;
            };
            let address = address.to_string();
            let sample_id = ids
                .get(address.as_str())
                .or_else(|| by_relative.get(row.location.trim_start_matches("./")))
                .map_or(address.as_str(), |id| id);
            take(Label {
                sample_id: sample_id.to_owned(),
                source: "table".to_owned(),
                label_name: row.label.clone(),
                confidence,
            })?;
        }
        Ok(())
    }
}
