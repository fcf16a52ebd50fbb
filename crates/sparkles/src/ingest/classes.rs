//! Readable names of classes: `class-descriptions` of Open Images.

use std::collections::HashSet;

use sparkles_data::{Class, Location, Stores};

use super::rows::{self, Dialect, Header};
use crate::Error;

/// Reads a CSV of label name and readable name, without a header; the header of
/// the newer releases (`LabelName,DisplayName`) is skipped. A label name that
/// stands twice keeps its first readable name.
pub(super) fn read(stores: &Stores, text: &str) -> Result<Vec<Class>, Error> {
    let location = Location::parse(text)?;
    let dialect = Dialect::of(text, &rows::head(stores, &location)?)?;
    let mut classes = Vec::new();
    let mut seen = HashSet::new();
    let mut is_named = false;
    let csv = rows::open(stores, &location, dialect, Header::Absent)?;
    csv.visit(&[0, 1], |row| {
        let read = || {
            row.expect_columns(2)?;
            let label_name = row.text(0)?.trim_start_matches('\u{feff}');
            let display_name = row.text(1)?;
            if label_name.is_empty() {
                return Err("the row has no label name".to_owned());
            }
            Ok((label_name, display_name))
        };
        let (label_name, display_name) = read()
            .map_err(|message| Error::label_file(text, format!("line {}: {message}", row.line)))?;
        if classes.is_empty() && label_name.eq_ignore_ascii_case("LabelName") {
            return Ok(());
        }
        is_named |= !display_name.is_empty();
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
        Ok(())
    })?;
    if !is_named {
        let reason = "expected rows of a label name and a readable name, without a header";
        return Err(Error::label_file(text, reason.to_owned()));
    }
    Ok(classes)
}
