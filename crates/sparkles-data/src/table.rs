//! The rows of the dataset's tables, to and from Parquet.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float32Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use crate::{DataError, Location, PartEntry, Reject, RejectReason, Stage, Stores};

/// One image and what its header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// The key that labels are joined by. Several files may share one.
    pub sample_id: String,
    /// Where the image lives; unique in the dataset.
    pub location: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The store's own mark of the contents, where it has one.
    pub etag: Option<String>,
    /// Time of the last change, in microseconds since 1970.
    pub modified: i64,
    /// `jpeg`, `png`, `gif`, `bmp`, `tiff` or `webp`, by the first bytes.
    pub format: String,
    /// Rows of pixels as a viewer shows them (EXIF orientation applied).
    pub height: u32,
    /// Columns of pixels as a viewer shows them.
    pub width: u32,
    /// Channels as stored: 1 grey, 2 grey and alpha, 3 colour, 4 with alpha or CMYK.
    pub channels: u8,
    /// EXIF orientation, 1 to 8.
    pub orientation: u8,
}

/// What is known of one class in one sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Label {
    /// The sample's id.
    pub sample_id: String,
    /// Who says so: `verification`, `folder`, …
    pub source: String,
    /// The class, as the label file names it.
    pub label_name: String,
    /// 1 verified present, 0 verified absent, between: machine-made.
    pub confidence: f32,
}

/// The readable name of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Class {
    /// The class, as the label file names it.
    pub label_name: String,
    /// The name for people.
    pub display_name: String,
}

/// A type whose rows make up a table.
pub(crate) trait Table: Sized {
    /// The table's name, and that of its folder or file.
    const NAME: &'static str;
    /// The file of a table that is always one file; otherwise each file is
    /// named by its hash, in the table's folder.
    const FILE: Option<&'static str> = None;
    fn schema() -> SchemaRef;
    fn encode(rows: &[Self]) -> Vec<ArrayRef>;
    fn decode(
        batch: &RecordBatch,
        location: &Location,
        rows: &mut Vec<Self>,
    ) -> Result<(), DataError>;
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field::new(name, data_type, nullable)
}

fn strings<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

impl Table for Sample {
    const NAME: &'static str = "samples";

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            field("sample_id", DataType::Utf8, false),
            field("location", DataType::Utf8, false),
            field("bytes", DataType::UInt64, false),
            field("etag", DataType::Utf8, true),
            field(
                "modified",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                false,
            ),
            field("format", DataType::Utf8, false),
            field("height", DataType::UInt32, false),
            field("width", DataType::UInt32, false),
            field("channels", DataType::UInt8, false),
            field("orientation", DataType::UInt8, false),
        ]))
    }

    fn encode(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            strings(rows.iter().map(|row| row.sample_id.as_str())),
            strings(rows.iter().map(|row| row.location.as_str())),
            Arc::new(UInt64Array::from_iter_values(
                rows.iter().map(|row| row.bytes),
            )),
            Arc::new(
                rows.iter()
                    .map(|row| row.etag.as_deref())
                    .collect::<StringArray>(),
            ),
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.modified))
                    .with_timezone("UTC"),
            ),
            strings(rows.iter().map(|row| row.format.as_str())),
            Arc::new(UInt32Array::from_iter_values(
                rows.iter().map(|row| row.height),
            )),
            Arc::new(UInt32Array::from_iter_values(
                rows.iter().map(|row| row.width),
            )),
            Arc::new(UInt8Array::from_iter_values(
                rows.iter().map(|row| row.channels),
            )),
            Arc::new(UInt8Array::from_iter_values(
                rows.iter().map(|row| row.orientation),
            )),
        ]
    }

    fn decode(
        batch: &RecordBatch,
        location: &Location,
        rows: &mut Vec<Self>,
    ) -> Result<(), DataError> {
        let sample_id = column::<StringArray>(batch, location, "sample_id")?;
        let address = column::<StringArray>(batch, location, "location")?;
        let bytes = column::<UInt64Array>(batch, location, "bytes")?;
        let etag = column::<StringArray>(batch, location, "etag")?;
        let modified = column::<TimestampMicrosecondArray>(batch, location, "modified")?;
        let format = column::<StringArray>(batch, location, "format")?;
        let height = column::<UInt32Array>(batch, location, "height")?;
        let width = column::<UInt32Array>(batch, location, "width")?;
        let channels = column::<UInt8Array>(batch, location, "channels")?;
        let orientation = column::<UInt8Array>(batch, location, "orientation")?;
        rows.extend((0..batch.num_rows()).map(|row| Self {
            sample_id: sample_id.value(row).to_owned(),
            location: address.value(row).to_owned(),
            bytes: bytes.value(row),
            etag: optional(etag, row),
            modified: modified.value(row),
            format: format.value(row).to_owned(),
            height: height.value(row),
            width: width.value(row),
            channels: channels.value(row),
            orientation: orientation.value(row),
        }));
        Ok(())
    }
}

impl Table for Label {
    const NAME: &'static str = "labels";

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            field("sample_id", DataType::Utf8, false),
            field("source", DataType::Utf8, false),
            field("label_name", DataType::Utf8, false),
            field("confidence", DataType::Float32, false),
        ]))
    }

    fn encode(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            strings(rows.iter().map(|row| row.sample_id.as_str())),
            strings(rows.iter().map(|row| row.source.as_str())),
            strings(rows.iter().map(|row| row.label_name.as_str())),
            Arc::new(Float32Array::from_iter_values(
                rows.iter().map(|row| row.confidence),
            )),
        ]
    }

    fn decode(
        batch: &RecordBatch,
        location: &Location,
        rows: &mut Vec<Self>,
    ) -> Result<(), DataError> {
        let sample_id = column::<StringArray>(batch, location, "sample_id")?;
        let source = column::<StringArray>(batch, location, "source")?;
        let label_name = column::<StringArray>(batch, location, "label_name")?;
        let confidence = column::<Float32Array>(batch, location, "confidence")?;
        rows.extend((0..batch.num_rows()).map(|row| Self {
            sample_id: sample_id.value(row).to_owned(),
            source: source.value(row).to_owned(),
            label_name: label_name.value(row).to_owned(),
            confidence: confidence.value(row),
        }));
        Ok(())
    }
}

impl Table for Class {
    const NAME: &'static str = "classes";
    const FILE: Option<&'static str> = Some("classes.parquet");

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            field("label_name", DataType::Utf8, false),
            field("display_name", DataType::Utf8, false),
        ]))
    }

    fn encode(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            strings(rows.iter().map(|row| row.label_name.as_str())),
            strings(rows.iter().map(|row| row.display_name.as_str())),
        ]
    }

    fn decode(
        batch: &RecordBatch,
        location: &Location,
        rows: &mut Vec<Self>,
    ) -> Result<(), DataError> {
        let label_name = column::<StringArray>(batch, location, "label_name")?;
        let display_name = column::<StringArray>(batch, location, "display_name")?;
        rows.extend((0..batch.num_rows()).map(|row| Self {
            label_name: label_name.value(row).to_owned(),
            display_name: display_name.value(row).to_owned(),
        }));
        Ok(())
    }
}

impl Table for Reject {
    const NAME: &'static str = "rejects";

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            field("location", DataType::Utf8, false),
            field("sample_id", DataType::Utf8, true),
            field("stage", DataType::Utf8, false),
            field("feature_key", DataType::Utf8, true),
            field("reason", DataType::Utf8, false),
            field("message", DataType::Utf8, false),
            field("version", DataType::Utf8, true),
        ]))
    }

    fn encode(rows: &[Self]) -> Vec<ArrayRef> {
        let nullable = |value: fn(&Self) -> Option<&str>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<StringArray>())
        };
        vec![
            strings(rows.iter().map(|row| row.location.as_str())),
            nullable(|row| row.sample_id.as_deref()),
            strings(rows.iter().map(|row| row.stage.name())),
            nullable(|row| row.feature_key.as_deref()),
            strings(rows.iter().map(|row| row.reason.name())),
            strings(rows.iter().map(|row| row.message.as_str())),
            nullable(|row| row.version.as_deref()),
        ]
    }

    fn decode(
        batch: &RecordBatch,
        location: &Location,
        rows: &mut Vec<Self>,
    ) -> Result<(), DataError> {
        let address = column::<StringArray>(batch, location, "location")?;
        let sample_id = column::<StringArray>(batch, location, "sample_id")?;
        let stage = column::<StringArray>(batch, location, "stage")?;
        let feature_key = column::<StringArray>(batch, location, "feature_key")?;
        let reason = column::<StringArray>(batch, location, "reason")?;
        let message = column::<StringArray>(batch, location, "message")?;
        let version = column::<StringArray>(batch, location, "version")?;
        let unknown = |column: &str, value: &str| DataError::Column {
            location: location.to_string(),
            column: column.to_owned(),
            reason: format!("holds the unknown value `{value}`"),
        };
        for row in 0..batch.num_rows() {
            rows.push(Self {
                location: address.value(row).to_owned(),
                sample_id: optional(sample_id, row),
                stage: Stage::from_name(stage.value(row))
                    .ok_or_else(|| unknown("stage", stage.value(row)))?,
                feature_key: optional(feature_key, row),
                reason: RejectReason::from_name(reason.value(row))
                    .ok_or_else(|| unknown("reason", reason.value(row)))?,
                message: message.value(row).to_owned(),
                version: optional(version, row),
            });
        }
        Ok(())
    }
}

pub(crate) fn optional(array: &StringArray, row: usize) -> Option<String> {
    array.is_valid(row).then(|| array.value(row).to_owned())
}

/// The column of that name and type.
pub(crate) fn column<'a, A: Array + 'static>(
    batch: &'a RecordBatch,
    location: &Location,
    name: &str,
) -> Result<&'a A, DataError> {
    let wrong = |reason: &str| DataError::Column {
        location: location.to_string(),
        column: name.to_owned(),
        reason: reason.to_owned(),
    };
    batch
        .column_by_name(name)
        .ok_or_else(|| wrong("is missing"))?
        .as_any()
        .downcast_ref::<A>()
        .ok_or_else(|| wrong("has another type than expected"))
}

/// Writer settings of all tables but features: strings compress well.
fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(65_536))
}

/// Encodes a batch as one Parquet file.
pub(crate) fn encode_parquet(
    location: &Location,
    batch: &RecordBatch,
    properties: WriterProperties,
) -> Result<Bytes, DataError> {
    let encode = || {
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
        writer.write(batch)?;
        writer.into_inner()
    };
    encode()
        .map(Bytes::from)
        .map_err(|source| DataError::Parquet {
            location: location.to_string(),
            source,
        })
}

/// Writes rows as one file below `folder`; `prefix` begins the name of a file
/// that is named by its hash.
pub(crate) fn write_rows<T: Table>(
    stores: &Stores,
    folder: &Location,
    prefix: &str,
    rows: &[T],
) -> Result<PartEntry, DataError> {
    let schema = T::schema();
    let location = folder.join(T::NAME);
    let batch =
        RecordBatch::try_new(schema, T::encode(rows)).map_err(|error| DataError::Parquet {
            location: location.to_string(),
            source: error.into(),
        })?;
    let bytes = encode_parquet(&location, &batch, properties().build())?;
    let hash = blake3::hash(&bytes).to_hex();
    let short = hash.get(..16).unwrap_or_default();
    let file = match T::FILE {
        // Files are never changed: where there is one of other contents, the new
        // one bears its hash.
        Some(file)
            if stores
                .read(&folder.join(file))
                .is_ok_and(|there| there != bytes) =>
        {
            format!("{}-{short}.parquet", T::NAME)
        }
        Some(file) => file.to_owned(),
        None => format!("{}/{prefix}{short}.parquet", T::NAME),
    };
    stores.put(&folder.join(&file), bytes)?;
    Ok(PartEntry {
        file,
        rows: rows.len() as u64,
        hash: hash.to_string(),
    })
}

/// The bytes of a committed file, checked against its entry.
pub(crate) fn read_part(
    stores: &Stores,
    folder: &Location,
    part: &PartEntry,
) -> Result<(Location, Bytes), DataError> {
    let location = folder.join(&part.file);
    let bytes = match stores.read(&location) {
        Ok(bytes) => bytes,
        Err(DataError::Missing { location }) => return Err(DataError::MissingPart { location }),
        Err(error) => return Err(error),
    };
    let hash = blake3::hash(&bytes).to_hex();
    if hash.as_str() != part.hash {
        return Err(DataError::Corrupt {
            location: location.to_string(),
            reason: "its contents do not have the hash that the manifest names".to_owned(),
        });
    }
    Ok((location, bytes))
}

/// Calls `visit` with every batch of a Parquet file; `columns` keeps only those.
pub fn read_batches(
    location: &Location,
    bytes: Bytes,
    columns: Option<&[&str]>,
    mut visit: impl FnMut(&RecordBatch) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let wrap = |source| DataError::Parquet {
        location: location.to_string(),
        source,
    };
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(wrap)?;
    if let Some(columns) = columns {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    let reader = builder.with_batch_size(4096).build().map_err(wrap)?;
    for batch in reader {
        visit(&batch.map_err(|error| wrap(error.into()))?)?;
    }
    Ok(())
}

/// All rows of the committed files.
pub(crate) fn read_rows<T: Table>(
    stores: &Stores,
    folder: &Location,
    parts: &[PartEntry],
) -> Result<Vec<T>, DataError> {
    let mut rows = Vec::new();
    for part in parts {
        let (location, bytes) = read_part(stores, folder, part)?;
        read_batches(&location, bytes, None, |batch| {
            T::decode(batch, &location, &mut rows)
        })?;
    }
    Ok(rows)
}

/// A table of somebody else's, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextTable {
    /// Names of the columns of text, numbers and truth values.
    pub columns: Vec<String>,
    /// Names and types of the other columns, which were not read.
    pub others: Vec<(String, String)>,
    /// One text a column; null is the empty text.
    pub rows: Vec<Vec<String>>,
}

/// Reads the columns of text, numbers and truth values of any Parquet file;
/// others (nested, binary) are left out unread.
pub fn read_text_table(location: &Location, bytes: Bytes) -> Result<TextTable, DataError> {
    let wrap = |source| DataError::Parquet {
        location: location.to_string(),
        source,
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(wrap)?;
    let mut table = TextTable::default();
    let mut texts = Vec::new();
    for (index, field) in builder.schema().fields().iter().enumerate() {
        let kind = match field.data_type() {
            DataType::Dictionary(_, value) => value.as_ref(),
            kind => kind,
        };
        if kind.is_string() || kind.is_numeric() || *kind == DataType::Boolean {
            texts.push(index);
            table.columns.push(field.name().clone());
        } else {
            let other = (field.name().clone(), kind.to_string());
            table.others.push(other);
        }
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), texts);
    let reader = builder.with_projection(mask).build().map_err(wrap)?;
    for batch in reader {
        let batch = batch.map_err(|error| wrap(error.into()))?;
        let mut columns = Vec::with_capacity(batch.num_columns());
        for array in batch.columns() {
            let text =
                arrow::compute::cast(array, &DataType::Utf8).map_err(|error| wrap(error.into()))?;
            columns.push(text);
        }
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|array| {
                array
                    .as_any()
                    .downcast_ref::<StringArray>()
                    .and_then(|array| optional(array, row))
                    .unwrap_or_default()
            });
            table.rows.push(cells.collect());
        }
    }
    Ok(table)
}
