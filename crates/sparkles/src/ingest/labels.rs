//! Label files: recognised by content, read row by row.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use sparkles_data::{DataError, Label, Location, Reject, RejectReason, Stage, Stores};

use super::images::{Candidate, Gathered, relative_to};
use super::rows::{self, Dialect, Header};
use super::{IngestRequest, source};
use crate::Error;

/// Usual names of a column of locations, in lower case.
const LOCATION_COLUMNS: [&str; 20] = [
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
    "image_name",
    "image_id",
    "imageid",
    "sample_id",
    "name",
    "id",
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
    dialect: Dialect,
    image_id: usize,
    source: Option<usize>,
    label_name: usize,
    confidence: usize,
}

/// A table of locations and labels; small beside the photos, so it is held.
pub(super) struct LabelTable {
    location: Location,
    rows: Vec<TableRow>,
    /// Rows that cannot be read.
    bad_rows: Vec<Reject>,
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
    let head = rows::head(stores, &location)?;
    if head.starts_with(b"PAR1") {
        return parquet_table(stores, location, request).map(LabelFile::Table);
    }
    let dialect = Dialect::of(text, &head)?;
    let csv = rows::open(stores, &location, dialect, Header::Present)?;
    let columns = csv.columns.clone();
    let position = |wanted: &str| {
        columns
            .iter()
            .position(|name| name.eq_ignore_ascii_case(wanted))
    };
    let is_table = request.location_column.is_some() || request.label_column.is_some();
    if let (Some(image_id), false) = (position("ImageID"), is_table) {
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
            dialect,
        }));
    }
    let picked = pick_columns(text, &columns, &[], request)?;
    let mut rows = Vec::new();
    let used: Vec<usize> = [picked.location, picked.label]
        .into_iter()
        .chain(picked.confidence)
        .collect();
    let mut bad_rows = Vec::new();
    csv.visit(&used, |row| {
        let read = || {
            row.expect_columns(columns.len())?;
            Ok::<_, String>(TableRow {
                line: row.line,
                location: row.text(picked.location)?.to_owned(),
                label: row.text(picked.label)?.to_owned(),
                confidence: match picked.confidence {
                    Some(index) => Some(row.text(index)?.to_owned()),
                    None => None,
                },
            })
        };
        match read() {
            Ok(read) => rows.push(read),
            Err(message) => bad_rows.push(bad_row(text, row.line, None, &message)),
        }
        Ok(())
    })?;
    Ok(LabelFile::Table(LabelTable {
        location,
        rows,
        bad_rows,
    }))
}

struct Picked {
    location: usize,
    label: usize,
    confidence: Option<usize>,
}

/// The columns of locations, labels and confidences; `others` cannot be read as
/// text.
fn pick_columns(
    file: &str,
    columns: &[String],
    others: &[(String, String)],
    request: &IngestRequest,
) -> Result<Picked, Error> {
    let pick = |asked: &Option<String>, usual: &[&str], what: &str| {
        let found = match asked {
            Some(asked) => columns.iter().position(|name| name == asked),
            None => usual.iter().find_map(|usual| {
                columns
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(usual))
            }),
        };
        let is_meant = |name: &str| match asked {
            Some(asked) => name == asked,
            None => usual.iter().any(|usual| name.eq_ignore_ascii_case(usual)),
        };
        let other = others.iter().find(|(name, _)| is_meant(name));
        found.ok_or_else(|| match asked {
            _ if let Some((name, kind)) = other => Error::label_file(
                file,
                format!("column `{name}` is of type {kind}, expected one text or number a row"),
            ),
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
    let table = match sparkles_data::read_text_table(&location, stores.read(&location)?) {
        Err(DataError::Parquet { .. }) => {
            let reason = "it begins as Parquet but is cut off or damaged";
            return Err(Error::label_file(&file, reason.to_owned()));
        }
        table => table?,
    };
    let picked = pick_columns(&file, &table.columns, &table.others, request)?;
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
    Ok(LabelTable {
        location,
        rows,
        bad_rows: Vec::new(),
    })
}

impl OpenImagesFile {
    /// Calls `take` with each row; rows that cannot be used go to the ledger.
    pub(super) fn visit(
        &self,
        rejects: &mut Vec<Reject>,
        mut take: impl FnMut(Label) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let file = self.location.to_string();
        let csv = rows::open(&self.stores, &self.location, self.dialect, Header::Present)?;
        let used: Vec<usize> = [self.image_id, self.label_name, self.confidence]
            .into_iter()
            .chain(self.source)
            .collect();
        let columns = csv.columns.len();
        csv.visit(&used, |row| {
            let line = row.line;
            let read = || {
                row.expect_columns(columns)?;
                let source = self.source.map_or(Ok(""), |index| row.text(index))?;
                let id = row.text(self.image_id)?;
                let label_name = row.text(self.label_name)?;
                Ok::<_, String>((id, label_name, row.text(self.confidence)?, source))
            };
            let (id, label_name, confidence, source) = match read() {
                Ok(fields) => fields,
                Err(message) => {
                    rejects.push(bad_row(&file, line, None, &message));
                    return Ok(());
                }
            };
            if id.is_empty() || label_name.is_empty() {
                let message = "the row has no image id or no label name";
                rejects.push(bad_row(&file, line, None, message));
                return Ok(());
            }
            let Some(confidence) = parse_confidence(confidence) else {
                let message = format!("confidence `{confidence}` is no number from 0 to 1");
                rejects.push(bad_row(&file, line, Some(id), &message));
                return Ok(());
            };
            take(Label {
                sample_id: id.to_owned(),
                source: source.to_owned(),
                label_name: label_name.to_owned(),
                confidence,
            })
        })
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
        let folder = self.location.as_local().and_then(Path::parent);
        let folder = folder.map(Path::to_owned).unwrap_or_default();
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

    /// Calls `take` with each row. A row of an image that was not found keeps its
    /// location as the id.
    pub(super) fn visit(
        &self,
        names: &Names<'_>,
        rejects: &mut Vec<Reject>,
        mut take: impl FnMut(Label) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let file = self.location.to_string();
        rejects.extend(self.bad_rows.iter().cloned());
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
            let sample_id = names.id_of(&address, &row.location).unwrap_or(&address);
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

/// What a table may call an image.
pub(super) struct Names<'a> {
    by_address: HashMap<&'a str, &'a str>,
    /// By path below the images' root, by sample id, by file name and by file stem,
    /// each only where no other image has it.
    others: [HashMap<String, Option<&'a str>>; 4],
}

impl<'a> Names<'a> {
    pub(super) fn new(images: impl Iterator<Item = &'a (Candidate, String)>) -> Self {
        let mut names = Self {
            by_address: HashMap::new(),
            others: Default::default(),
        };
        for (candidate, id) in images {
            names.by_address.insert(&candidate.address, id);
            let texts = [
                candidate.relative.clone(),
                id.clone(),
                candidate.location.file_name(),
                candidate.location.file_stem(),
            ];
            for (map, text) in names.others.iter_mut().zip(texts) {
                map.entry(text)
                    .and_modify(|of| *of = of.filter(|&known| known == id))
                    .or_insert(Some(id));
            }
        }
        names
    }

    /// The sample id of the image at `address`, or else of the one that `text` names.
    fn id_of(&self, address: &str, text: &str) -> Option<&'a str> {
        if let Some(id) = self.by_address.get(address) {
            return Some(id);
        }
        let text = text.trim_start_matches("./");
        self.others.iter().find_map(|map| *map.get(text)?)
    }
}
