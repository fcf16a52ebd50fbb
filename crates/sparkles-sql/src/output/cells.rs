//! Values as text: short for people, whole for CSV.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The longest bytes that are shown whole.
const BYTES_SHOWN: usize = 16;
/// The longest list that is shown whole.
const VALUES_SHOWN: usize = 4;

/// A cell for people: long bytes and lists are cut.
pub(super) fn cell(
    array: &dyn Array,
    formatter: &ArrayFormatter<'_>,
    row: usize,
) -> Result<String, ArrowError> {
    if array.is_null(row) {
        return Ok("NULL".to_owned());
    }
    match array.data_type() {
        DataType::Binary => Ok(bytes(array.as_binary::<i32>().value(row))),
        DataType::LargeBinary => Ok(bytes(array.as_binary::<i64>().value(row))),
        DataType::BinaryView => Ok(bytes(array.as_binary_view().value(row))),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        _ => formatter.value(row).try_to_string(),
    }
}

/// `0a1b…`, with the length where not all are shown.
fn bytes(value: &[u8]) -> String {
    let mut text = String::new();
    for byte in value.iter().take(BYTES_SHOWN) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    if value.len() > BYTES_SHOWN {
        let _ = write!(text, "… ({} bytes)", value.len());
    }
    text
}

/// `[1, 2, …]`, with the length where not all are shown.
fn list(values: &ArrayRef) -> Result<String, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(values, &options)?;
    let whole = values.len() <= VALUES_SHOWN;
    let mut shown = Vec::with_capacity(VALUES_SHOWN);
    for row in 0..values.len().min(VALUES_SHOWN) {
        shown.push(cell(values, &formatter, row)?);
    }
    let shown = shown.join(", ");
    Ok(if whole {
        format!("[{shown}]")
    } else {
        format!("[{shown}, …] ({} values)", values.len())
    })
}

/// The schema in which every nested column is text.
pub(super) fn flat_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(flat_field);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn flat_field(field: &FieldRef) -> FieldRef {
    if field.data_type().is_nested() {
        Arc::new(Field::new(field.name(), DataType::Utf8, true))
    } else {
        field.clone()
    }
}

/// The batch in which every nested value is its JSON text.
pub(super) fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, array)| {
        if field.data_type().is_nested() {
            json(field, array)
        } else {
            Ok(array.clone())
        }
    });
    RecordBatch::try_new(flat_schema(&schema), columns.collect::<Result<_, _>>()?)
}

fn json(field: &FieldRef, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(field, array, &options)?;
    let mut texts: Vec<Option<String>> = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        if encoder.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut text = Vec::new();
        encoder.encode(row, &mut text);
        let text =
            String::from_utf8(text).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        texts.push(Some(text));
    }
    Ok(Arc::new(StringArray::from(texts)))
}
