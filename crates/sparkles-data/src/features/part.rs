//! One file of features: its rows, and how they are written and read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::FEATURES;
use crate::table::{self, column};
use crate::{DataError, Location, PartEntry, Reject, Stores};

/// What a feature key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureInfo {
    /// Hash of everything that changes a feature's value.
    pub feature_key: String,
    /// Name of the backbone.
    pub backbone: String,
    /// blake3 of the backbone's file.
    pub backbone_hash: String,
    /// Length of a feature vector.
    pub dimension: usize,
    /// How alpha was treated.
    pub alpha: String,
}

/// The features of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRow {
    /// The sample's id.
    pub sample_id: String,
    /// Where the image was read.
    pub location: String,
    /// [`ObjectVersion::mark`](crate::ObjectVersion::mark) of what was read.
    pub version: String,
    /// blake3 of the image file, in hexadecimal.
    pub content_hash: String,
    /// The feature vector.
    pub features: Vec<f32>,
}

/// A row of features, where it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureView<'a> {
    /// The sample's id.
    pub sample_id: &'a str,
    /// Where the image was read.
    pub location: &'a str,
    /// The mark of the version that was read.
    pub version: &'a str,
    /// blake3 of the image file, in hexadecimal.
    pub content_hash: &'a str,
    /// The feature vector.
    pub features: &'a [f32],
}

/// What one part request left behind: files that exist once a manifest names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartReceipt {
    /// The file of features, if any sample had some.
    pub part: Option<PartEntry>,
    /// The file of rejects, if there were any.
    pub rejects: Option<PartEntry>,
    /// Rejects by reason.
    pub rejected: BTreeMap<crate::RejectReason, u64>,
}

/// Writes the rows of one part request. The file is named `name`, so that a
/// request that runs twice leaves one file. Rows are put in order of sample id,
/// then location.
pub fn write_part(
    stores: &Stores,
    root: &Location,
    info: &FeatureInfo,
    name: &str,
    mut rows: Vec<FeatureRow>,
    rejects: &[Reject],
) -> Result<PartReceipt, DataError> {
    rows.sort_by(|a, b| (&a.sample_id, &a.location).cmp(&(&b.sample_id, &b.location)));
    let part = if rows.is_empty() {
        None
    } else {
        let key = &info.feature_key;
        Some(write_rows(stores, root, key, info.dimension, name, &rows)?)
    };
    let mut rejected = BTreeMap::new();
    for reject in rejects {
        *rejected.entry(reject.reason).or_insert(0) += 1;
    }
    let rejects = if rejects.is_empty() {
        None
    } else {
        Some(write_rejects(stores, root, &info.feature_key, rejects)?)
    };
    Ok(PartReceipt {
        part,
        rejects,
        rejected,
    })
}

pub(super) fn reject_prefix(key: &str) -> String {
    format!("{}-", key.get(..16).unwrap_or(key))
}

pub(super) fn write_rejects(
    stores: &Stores,
    root: &Location,
    key: &str,
    rejects: &[Reject],
) -> Result<PartEntry, DataError> {
    table::write_rows(stores, root, &reject_prefix(key), rejects)
}

pub(super) fn write_rows(
    stores: &Stores,
    root: &Location,
    key: &str,
    dimension: usize,
    name: &str,
    rows: &[FeatureRow],
) -> Result<PartEntry, DataError> {
    let file = format!("{FEATURES}/{key}/{name}.parquet");
    let location = root.join(&file);
    let strings = |value: fn(&FeatureRow) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
    };
    let mut values = Vec::with_capacity(rows.len() * dimension);
    for row in rows {
        values.extend_from_slice(&row.features);
    }
    let element = Arc::new(Field::new("element", DataType::Float32, false));
    let build = || {
        let width = i32::try_from(dimension)
            .map_err(|error| arrow::error::ArrowError::InvalidArgumentError(error.to_string()))?;
        let list = FixedSizeListArray::try_new(
            element.clone(),
            width,
            Arc::new(Float32Array::from(values)),
            None,
        )?;
        let schema = Arc::new(Schema::new(vec![
            Field::new("sample_id", DataType::Utf8, false),
            Field::new("content_hash", DataType::Utf8, false),
            Field::new("features", DataType::FixedSizeList(element, width), false),
            Field::new("location", DataType::Utf8, false),
            Field::new("version", DataType::Utf8, false),
        ]));
        RecordBatch::try_new(
            schema,
            vec![
                strings(|row| &row.sample_id),
                strings(|row| &row.content_hash),
                Arc::new(list),
                strings(|row| &row.location),
                strings(|row| &row.version),
            ],
        )
    };
    let batch = build().map_err(|error| DataError::Parquet {
        location: location.to_string(),
        source: error.into(),
    })?;
    // Floats of features do not repeat and hardly compress: plain pages are the
    // fastest to write and to scan.
    let leaf = ColumnPath::new(vec!["features".into(), "list".into(), "element".into()]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(leaf.clone(), false)
        .set_column_statistics_enabled(leaf, EnabledStatistics::None)
        .set_max_row_group_row_count(Some(1024))
        .build();
    let bytes = table::encode_parquet(&location, &batch, properties)?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    stores.put(&location, bytes)?;
    Ok(PartEntry {
        file,
        rows: rows.len() as u64,
        hash,
    })
}

/// All rows of a part.
pub(super) fn read_rows(
    stores: &Stores,
    root: &Location,
    part: &PartEntry,
) -> Result<Vec<FeatureRow>, DataError> {
    let mut rows = Vec::with_capacity(usize::try_from(part.rows).unwrap_or(0).min(1 << 16));
    visit_part(stores, root, part, |batch, location| {
        visit_rows(batch, location, &mut |row: FeatureView<'_>| {
            rows.push(FeatureRow {
                sample_id: row.sample_id.to_owned(),
                location: row.location.to_owned(),
                version: row.version.to_owned(),
                content_hash: row.content_hash.to_owned(),
                features: row.features.to_vec(),
            });
        })
    })?;
    Ok(rows)
}

/// Calls `visit` with each row of a batch.
pub(super) fn visit_rows(
    batch: &RecordBatch,
    location: &Location,
    visit: &mut impl FnMut(FeatureView<'_>),
) -> Result<(), DataError> {
    let text = |name| column::<StringArray>(batch, location, name);
    let (sample_id, content_hash) = (text("sample_id")?, text("content_hash")?);
    let (address, version) = (text("location")?, text("version")?);
    let list = column::<FixedSizeListArray>(batch, location, "features")?;
    for row in 0..batch.num_rows() {
        visit(FeatureView {
            sample_id: sample_id.value(row),
            location: address.value(row),
            version: version.value(row),
            content_hash: content_hash.value(row),
            features: vector(list, row, location)?,
        });
    }
    Ok(())
}

/// Calls `visit` with each batch of a part.
pub(super) fn visit_part(
    stores: &Stores,
    root: &Location,
    part: &PartEntry,
    mut visit: impl FnMut(&RecordBatch, &Location) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let (location, bytes) = table::read_part(stores, root, part)?;
    table::read_batches(&location, bytes, None, |batch| visit(batch, &location))
}

/// Names a part by what it holds: the feature key and the versions of the images.
pub fn part_name<'a>(key: &str, images: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes());
    for (location, version) in images {
        for text in [location, version] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
    hasher.finalize().to_hex().chars().take(20).collect()
}

/// Calls `visit` with key and feature vector of each row of any Parquet file that
/// has a text column `key_column` and a column `features` of fixed-size lists.
pub fn read_features(
    location: &Location,
    bytes: bytes::Bytes,
    key_column: &str,
    mut visit: impl FnMut(&str, &[f32]),
) -> Result<(), DataError> {
    table::read_batches(location, bytes, None, |batch| {
        let keys = column::<StringArray>(batch, location, key_column)?;
        let list = column::<FixedSizeListArray>(batch, location, "features")?;
        for row in 0..batch.num_rows() {
            visit(keys.value(row), vector(list, row, location)?);
        }
        Ok(())
    })
}

fn vector<'a>(
    list: &'a FixedSizeListArray,
    row: usize,
    location: &Location,
) -> Result<&'a [f32], DataError> {
    let wrong = || DataError::Column {
        location: location.to_string(),
        column: "features".to_owned(),
        reason: "holds no list of 32-bit floats".to_owned(),
    };
    let width = usize::try_from(list.value_length()).map_err(|_| wrong())?;
    let values = list
        .values()
        .as_any()
        .downcast_ref::<Float32Array>()
        .ok_or_else(wrong)?;
    let start = list.value_offset(row);
    let start = usize::try_from(start).map_err(|_| wrong())?;
    values.values().get(start..start + width).ok_or_else(wrong)
}
