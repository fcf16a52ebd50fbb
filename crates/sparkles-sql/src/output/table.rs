//! Aligned text.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::cells;

/// Rows whose cells decide how wide a column is.
const MEASURED_ROWS: usize = 1000;

/// A table of which the first rows are held back until they are measured.
pub(super) struct Table {
    columns: Vec<Column>,
    held: Vec<Vec<String>>,
    begun: bool,
}

struct Column {
    name: String,
    numeric: bool,
    /// In characters.
    width: usize,
}

impl Table {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| Column {
            name: printable(field.name()).replace('\n', " "),
            numeric: field.data_type().is_numeric(),
            width: 0,
        });
        Self {
            columns: columns.collect(),
            held: Vec::new(),
            begun: false,
        }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        let options = FormatOptions::default();
        let formatters = batch
            .columns()
            .iter()
            .map(|array| ArrayFormatter::try_new(array, &options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .zip(&formatters)
                .map(|(array, formatter)| {
                    cells::cell(array, formatter, row).map(|cell| printable(&cell))
                });
            let cells = cells.collect::<Result<Vec<_>, _>>()?;
            if self.begun {
                self.print(&cells, out);
            } else {
                self.held.push(cells);
                if self.held.len() == MEASURED_ROWS {
                    self.begin(out);
                }
            }
        }
        Ok(())
    }

    pub(super) fn end(mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begin(out);
        }
    }

    /// Measures, then prints the head and what was held back.
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.begun = true;
        let held = std::mem::take(&mut self.held);
        for (index, column) in self.columns.iter_mut().enumerate() {
            let cells = held.iter().filter_map(|row| row.get(index));
            let widths = cells.flat_map(|cell| cell.split('\n').map(width));
            column.width = widths.max().unwrap_or(0).max(width(&column.name));
        }
        let names: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
        let rules: Vec<String> = self.columns.iter().map(|c| "-".repeat(c.width)).collect();
        self.print(&names, out);
        self.print(&rules, out);
        for row in &held {
            self.print(row, out);
        }
    }

    /// One row, of as many lines as its highest cell.
    fn print(&self, cells: &[String], out: &mut Vec<u8>) {
        let mut rest: Vec<_> = cells.iter().map(|cell| cell.split('\n')).collect();
        let lines = cells.iter().map(|cell| cell.split('\n').count());
        for _ in 0..lines.max().unwrap_or(0) {
            let mut text = String::new();
            for (index, (column, cell)) in self.columns.iter().zip(&mut rest).enumerate() {
                if index > 0 {
                    text.push_str("  ");
                }
                let cell = cell.next().unwrap_or_default();
                let space = " ".repeat(column.width.saturating_sub(width(cell)));
                if column.numeric {
                    text.push_str(&space);
                    text.push_str(cell);
                } else {
                    text.push_str(cell);
                    text.push_str(&space);
                }
            }
            out.extend_from_slice(text.trim_end().as_bytes());
            out.push(b'\n');
        }
    }
}

/// In characters: a terminal may give some of them two places.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Without what a terminal would obey, but for the ends of lines.
fn printable(text: &str) -> String {
    let obeyed = |letter: char| letter.is_control() && letter != '\n';
    if !text.contains(obeyed) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if obeyed(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}
