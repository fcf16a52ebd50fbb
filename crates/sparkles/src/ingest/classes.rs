//! Readable names of classes: `class-descriptions` of Open Images.

use std::collections::HashSet;

use sparkles_data::{Class, Location, Stores};

use crate::Error;

/// Reads a CSV of label name and readable name, without a header; the header of
/// the newer releases (`LabelName,DisplayName`) is skipped. A label name that
/// stands twice keeps its first readable name.
pub(super) fn read(stores: &Stores, text: &str) -> Result<Vec<Class>, Error> {
    let location = Location::parse(text)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(stores.reader(&location)?);
    let mut classes = Vec::new();
    let mut seen = HashSet::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| Error::label_file(text, error.to_string()))?;
        let field = |index| {
            record
                .get(index)
                .unwrap_or_default()
                .trim_start_matches('\u{feff}')
                .trim()
        };
        let (label_name, display_name) = (field(0), field(1));
        if index == 0 && label_name.eq_ignore_ascii_case("LabelName") {
            continue;
        }
        if record.len() < 2 || label_name.is_empty() {
            return Err(Error::label_file(
                text,
                format!(
                    "line {}: expected a label name and a readable name, found {} fields",
                    index + 1,
                    record.len()
                ),
            ));
        }
        if record.iter().any(|field| field.contains('\n')) {
            return Err(Error::label_file(
                text,
                format!(
                    "class {}: a quote is opened that no other closes on its line",
                    index + 1
                ),
            ));
        }
        if seen.insert(label_name.to_owned()) {
            let display_name = if display_name.is_empty() {
                label_name
            } else {
                display_name
            };
            classes.push(Class {
                label_name: label_name.to_owned(),
                display_name: display_name.to_owned(),
            });
        }
    }
    if classes.is_empty() {
        return Err(Error::label_file(text, "it holds no class".to_owned()));
    }
    Ok(classes)
}
