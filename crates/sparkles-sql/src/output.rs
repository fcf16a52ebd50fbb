//! An answer, written for people and for programs.

mod cells;
mod table;

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder as CsvBuilder;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::writer::{LineDelimited, WriterBuilder as JsonBuilder};
use datafusion::parquet::arrow::ArrowWriter;

use crate::{QueryResult, SqlError};
use table::Table;

/// Rows are turned to text in pieces of about so many bytes.
const PIECE_BYTES: usize = 8 << 20;
/// A row group of a Parquet file is closed at so many bytes.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutputFormat {
    /// Aligned text for people. Long bytes and lists are cut, with their length
    /// beside them; everything else is whole. Columns are as wide as their first
    /// 1,000 rows need.
    #[default]
    Table,
    /// A line of names, then one a row, quoted where needed (RFC 4180). Bytes in
    /// hexadecimal, lists as JSON, nulls empty.
    Csv,
    /// One object a line. Bytes in hexadecimal, lists as arrays, times in ISO
    /// 8601; numbers that are not finite are null.
    Json,
    /// A Parquet file with the result's own types.
    Parquet,
}

impl OutputFormat {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Table, Self::Csv, Self::Json, Self::Parquet];

    /// `table`, `csv`, `json` or `parquet`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for OutputFormat {
    type Err = SqlError;

    fn from_str(text: &str) -> Result<Self, SqlError> {
        let mut formats = Self::ALL.into_iter();
        formats
            .find(|format| format.name() == text)
            .ok_or_else(|| SqlError::UnknownFormat {
                text: text.to_owned(),
            })
    }
}

/// Writes all rows, in memory that does not grow with them, and returns how many
/// there were. Columns that share a name are numbered (`x`, `x_2`) in the formats
/// for programs.
pub fn write(
    result: QueryResult,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<u64, SqlError> {
    let schema = result.schema();
    write_batches(&schema, result, format, out)
}

fn write_batches(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, SqlError>>,
    format: OutputFormat,
    out: &mut dyn Write,
) -> Result<u64, SqlError> {
    let mut send = |text: &mut Vec<u8>| {
        let sent = out.write_all(text);
        text.clear();
        sent.map_err(|source| SqlError::Write { source })
    };
    let mut rows = 0;
    let mut text = Vec::new();
    let mut encoder = Encoder::begin(format, schema, &mut text)?;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        for piece in pieces(&batch) {
            encoder.add(&piece, &mut text)?;
            send(&mut text)?;
        }
    }
    encoder.end(&mut text)?;
    send(&mut text)?;
    out.flush().map_err(|source| SqlError::Write { source })?;
    Ok(rows)
}

/// Slices of a batch, each of about [`PIECE_BYTES`].
fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    let count = (batch.get_array_memory_size() / PIECE_BYTES + 1).min(rows.max(1));
    let step = rows.div_ceil(count).max(1);
    (0..rows)
        .step_by(step)
        .map(move |start| batch.slice(start, step.min(rows - start)))
}

/// A format at work.
enum Encoder {
    Table(Table),
    Csv(SchemaRef),
    Json(SchemaRef),
    Parquet(SchemaRef, Box<ArrowWriter<Vec<u8>>>),
}

impl Encoder {
    fn begin(
        format: OutputFormat,
        schema: &SchemaRef,
        text: &mut Vec<u8>,
    ) -> Result<Self, SqlError> {
        let fail = |error: &dyn fmt::Display| SqlError::encode(format, error);
        let named = with_distinct_names(schema);
        Ok(match format {
            OutputFormat::Table => Self::Table(Table::new(schema)),
            OutputFormat::Csv => {
                let flat = cells::flat_schema(&named);
                let header = RecordBatch::new_empty(flat.clone());
                CsvBuilder::new()
                    .build(text)
                    .write(&header)
                    .map_err(|error| fail(&error))?;
                Self::Csv(named)
            }
            OutputFormat::Json => Self::Json(named),
            OutputFormat::Parquet => {
                let writer = ArrowWriter::try_new(Vec::new(), named.clone(), None)
                    .map_err(|error| fail(&error))?;
                Self::Parquet(named, Box::new(writer))
            }
        })
    }

    fn add(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), SqlError> {
        let renamed =
            |schema: &SchemaRef| RecordBatch::try_new(schema.clone(), batch.columns().to_vec());
        let (format, added) = match self {
            Self::Table(table) => (OutputFormat::Table, table.add(batch, text)),
            Self::Csv(schema) => (
                OutputFormat::Csv,
                renamed(schema)
                    .and_then(|batch| cells::flat(&batch))
                    .and_then(|batch| {
                        CsvBuilder::new()
                            .with_header(false)
                            .build(text)
                            .write(&batch)
                    }),
            ),
            Self::Json(schema) => (
                OutputFormat::Json,
                renamed(schema).and_then(|batch| {
                    let mut writer = JsonBuilder::new()
                        .with_explicit_nulls(true)
                        .build::<_, LineDelimited>(text);
                    writer.write(&batch)?;
                    writer.finish()
                }),
            ),
            Self::Parquet(schema, writer) => {
                let added = renamed(schema).and_then(|batch| {
                    writer.write(&batch)?;
                    if writer.in_progress_size() >= ROW_GROUP_BYTES {
                        writer.flush()?;
                    }
                    // What was written is handed on (`text` is empty here): the
                    // writer counts its own bytes and never looks back at them.
                    std::mem::swap(text, writer.inner_mut());
                    Ok(())
                });
                (OutputFormat::Parquet, added)
            }
        };
        added.map_err(|error| SqlError::encode(format, &error))
    }

    fn end(self, text: &mut Vec<u8>) -> Result<(), SqlError> {
        match self {
            Self::Table(table) => table.end(text),
            Self::Csv(_) | Self::Json(_) => {}
            Self::Parquet(_, writer) => {
                let rest = writer.into_inner();
                text.append(
                    &mut rest.map_err(|error| SqlError::encode(OutputFormat::Parquet, &error))?,
                );
            }
        }
        Ok(())
    }
}

/// The schema with a number after each name that came before.
fn with_distinct_names(schema: &SchemaRef) -> SchemaRef {
    let mut taken: HashSet<String> = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        let mut name = field.name().clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{}_{number}", field.name());
            number += 1;
        }
        field.as_ref().clone().with_name(name)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
