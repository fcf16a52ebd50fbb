//! The features of one feature key: parts, their manifest, their compaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::manifest::{self, FORMAT_VERSION};
use crate::table::{self, Table, column};
use crate::{DataError, FeatureManifest, Location, PartEntry, Reject, Stores};

/// Folder of the dataset that holds one folder a feature key.
pub(crate) const FEATURES: &str = "features";
const MANIFEST: &str = "manifest.json";
/// Rows of a compacted file, where they are not too long.
const COMPACT_ROWS: usize = 4096;
/// Bytes of features in a compacted file.
const COMPACT_BYTES: usize = 32 << 20;

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

/// A row of features without the features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureIndexRow {
    /// The sample's id.
    pub sample_id: String,
    /// Where the image was read.
    pub location: String,
    /// The mark of the version that was read.
    pub version: String,
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

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compaction {
    /// Files before.
    pub before: usize,
    /// Files after.
    pub after: usize,
}

/// The features of one key in one dataset.
#[derive(Debug)]
pub struct FeatureStore {
    stores: Stores,
    root: Location,
    manifest: FeatureManifest,
    /// Held while this process adds features; the system frees it with the process.
    lock: Option<File>,
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

fn reject_prefix(key: &str) -> String {
    format!("{}-", key.get(..16).unwrap_or(key))
}

fn write_rejects(
    stores: &Stores,
    root: &Location,
    key: &str,
    rejects: &[Reject],
) -> Result<PartEntry, DataError> {
    table::write_rows(stores, root, &reject_prefix(key), rejects)
}

fn write_rows(
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

impl FeatureStore {
    /// The features of a key that has a manifest.
    pub(crate) fn open(
        stores: &Stores,
        root: &Location,
        key: &str,
    ) -> Result<Option<Self>, DataError> {
        let location = root.join(FEATURES).join(key).join(MANIFEST);
        Ok(manifest::read(stores, &location)?.map(|manifest| Self {
            stores: stores.clone(),
            root: root.clone(),
            manifest,
            lock: None,
        }))
    }

    pub(crate) fn open_or_new(
        stores: &Stores,
        root: &Location,
        info: &FeatureInfo,
    ) -> Result<Self, DataError> {
        if let Some(store) = Self::open(stores, root, &info.feature_key)? {
            return Ok(store);
        }
        Ok(Self {
            stores: stores.clone(),
            root: root.clone(),
            manifest: FeatureManifest {
                format_version: FORMAT_VERSION,
                feature_key: info.feature_key.clone(),
                backbone: info.backbone.clone(),
                backbone_hash: info.backbone_hash.clone(),
                dimension: u32::try_from(info.dimension).unwrap_or(u32::MAX),
                alpha: info.alpha.clone(),
                parts: Vec::new(),
                rejects: Vec::new(),
            },
            lock: None,
        })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &FeatureManifest {
        &self.manifest
    }

    fn folder(&self) -> Location {
        self.root.join(FEATURES).join(&self.manifest.feature_key)
    }

    /// Makes this process the only one that adds to these features, and reads
    /// the manifest anew.
    pub fn lock(&mut self) -> Result<(), DataError> {
        let folder = self.folder();
        if let Some(path) = folder.as_local() {
            let failed = |source| DataError::Io {
                action: "lock",
                location: folder.to_string(),
                source,
            };
            std::fs::create_dir_all(path).map_err(failed)?;
            let file = File::create(path.join(".lock")).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => self.lock = Some(file),
                Err(std::fs::TryLockError::WouldBlock) => {
                    return Err(DataError::Locked {
                        location: folder.to_string(),
                    });
                }
                Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        if let Some(manifest) = manifest::read(&self.stores, &folder.join(MANIFEST))? {
            self.manifest = manifest;
        }
        Ok(())
    }

    /// Adds what a part request left to the manifest.
    pub fn commit(&mut self, receipt: &PartReceipt) -> Result<(), DataError> {
        self.manifest.parts.extend(receipt.part.clone());
        self.manifest.rejects.extend(receipt.rejects.clone());
        self.write_manifest()
    }

    fn write_manifest(&self) -> Result<(), DataError> {
        let location = self.folder().join(MANIFEST);
        let text = manifest::encode(&location, &self.manifest)?;
        self.stores.put(&location, text)
    }

    /// Which versions of which images have features. A part whose file is gone
    /// is forgotten: its rows are computed anew.
    pub fn index(&mut self) -> Result<Vec<FeatureIndexRow>, DataError> {
        let mut rows = Vec::new();
        let mut kept = Vec::with_capacity(self.manifest.parts.len());
        for part in std::mem::take(&mut self.manifest.parts) {
            let (location, bytes) = match table::read_part(&self.stores, &self.root, &part) {
                Err(DataError::MissingPart { .. }) => continue,
                other => other?,
            };
            let columns = ["sample_id", "location", "version"];
            table::read_batches(&location, bytes, Some(&columns), |batch| {
                let sample_id = column::<StringArray>(batch, &location, "sample_id")?;
                let address = column::<StringArray>(batch, &location, "location")?;
                let version = column::<StringArray>(batch, &location, "version")?;
                rows.extend((0..batch.num_rows()).map(|row| FeatureIndexRow {
                    sample_id: sample_id.value(row).to_owned(),
                    location: address.value(row).to_owned(),
                    version: version.value(row).to_owned(),
                }));
                Ok(())
            })?;
            kept.push(part);
        }
        self.manifest.parts = kept;
        Ok(rows)
    }

    /// The rejects of this key. A file that is gone is forgotten: its photos are
    /// tried anew.
    pub fn rejects(&self) -> Result<Vec<Reject>, DataError> {
        let mut rejects = Vec::new();
        for part in &self.manifest.rejects {
            match table::read_rows(&self.stores, &self.root, std::slice::from_ref(part)) {
                Err(DataError::MissingPart { .. }) => {}
                rows => rejects.extend(rows?),
            }
        }
        Ok(rejects)
    }

    /// Calls `visit` with sample id, location and feature vector of each row,
    /// part by part.
    pub fn visit(&self, mut visit: impl FnMut(&str, &str, &[f32])) -> Result<(), DataError> {
        for part in &self.manifest.parts {
            self.visit_part(part, |batch, location| {
                let address = column::<StringArray>(batch, location, "location")?;
                visit_vectors(batch, location, "sample_id", |row, sample_id, features| {
                    visit(sample_id, address.value(row), features);
                })
            })?;
        }
        Ok(())
    }

    fn visit_part(
        &self,
        part: &PartEntry,
        mut visit: impl FnMut(&RecordBatch, &Location) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let (location, bytes) = table::read_part(&self.stores, &self.root, part)?;
        table::read_batches(&location, bytes, None, |batch| visit(batch, &location))
    }

    fn read_rows(&self, part: &PartEntry) -> Result<Vec<FeatureRow>, DataError> {
        let mut rows = Vec::with_capacity(usize::try_from(part.rows).unwrap_or(0).min(1 << 16));
        self.visit_part(part, |batch, location| {
            let sample_id = column::<StringArray>(batch, location, "sample_id")?;
            let content_hash = column::<StringArray>(batch, location, "content_hash")?;
            let list = column::<FixedSizeListArray>(batch, location, "features")?;
            let address = column::<StringArray>(batch, location, "location")?;
            let version = column::<StringArray>(batch, location, "version")?;
            for row in 0..batch.num_rows() {
                rows.push(FeatureRow {
                    sample_id: sample_id.value(row).to_owned(),
                    location: address.value(row).to_owned(),
                    version: version.value(row).to_owned(),
                    content_hash: content_hash.value(row).to_owned(),
                    features: vector(list, row, location)?.to_vec(),
                });
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// Takes out the features of the locations `stale` and the rejects of the
    /// locations `refused`, so that they can be computed anew.
    pub fn forget(
        &mut self,
        stale: &BTreeSet<String>,
        refused: &BTreeSet<String>,
    ) -> Result<(), DataError> {
        if stale.is_empty() && refused.is_empty() {
            return Ok(());
        }
        let key = self.manifest.feature_key.clone();
        let dimension = self.dimension();
        let mut parts = Vec::new();
        for part in self.manifest.parts.clone() {
            if stale.is_empty() {
                parts.push(part);
                continue;
            }
            let rows = self.read_rows(&part)?;
            let kept: Vec<FeatureRow> = rows
                .into_iter()
                .filter(|row| !stale.contains(&row.location))
                .collect();
            if kept.len() as u64 == part.rows {
                parts.push(part);
            } else if !kept.is_empty() {
                let name = part_name(&key, kept.iter().map(|row| (&*row.location, &*row.version)));
                parts.push(write_rows(
                    &self.stores,
                    &self.root,
                    &key,
                    dimension,
                    &name,
                    &kept,
                )?);
            }
        }
        let mut rejects = self.rejects()?;
        rejects.retain(|reject| !refused.contains(&reject.location));
        self.manifest.parts = parts;
        self.manifest.rejects = if rejects.is_empty() {
            Vec::new()
        } else {
            vec![write_rejects(&self.stores, &self.root, &key, &rejects)?]
        };
        self.write_manifest()
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        usize::try_from(self.manifest.dimension).unwrap_or(usize::MAX)
    }

    fn rows_per_file(&self) -> usize {
        (COMPACT_BYTES / (4 * self.dimension().max(1))).clamp(1, COMPACT_ROWS)
    }

    /// Whether there is anything to merge, or to remove that no manifest names.
    pub fn needs_compaction(&self) -> Result<bool, DataError> {
        let whole = self.rows_per_file() as u64;
        let short = self
            .manifest
            .parts
            .iter()
            .filter(|part| part.rows < whole)
            .count();
        Ok(short > 1 || self.manifest.rejects.len() > 1 || !self.unnamed()?.is_empty())
    }

    /// Merges short parts into files of about 4,096 rows (fewer where vectors
    /// are long), in order of sample id, and removes files that no manifest
    /// names. Holds about one such file in memory.
    pub fn compact(&mut self) -> Result<Compaction, DataError> {
        let before = self.manifest.parts.len();
        let dimension = self.dimension();
        let rows_per_file = self.rows_per_file();
        let (whole, short): (Vec<PartEntry>, Vec<PartEntry>) = self
            .manifest
            .parts
            .clone()
            .into_iter()
            .partition(|part| part.rows >= rows_per_file as u64);
        if short.len() > 1 {
            // Parts of one run do not overlap, so rows that come before the
            // first row of the next part can be written out.
            let mut order = Vec::with_capacity(short.len());
            for part in short {
                order.push((self.first_row(&part)?, part));
            }
            order.sort_by(|a, b| a.0.cmp(&b.0));
            let mut parts = whole;
            let mut pending: Vec<FeatureRow> = Vec::new();
            let mut order = order.into_iter().peekable();
            while let Some((_, part)) = order.next() {
                pending.extend(self.read_rows(&part)?);
                pending
                    .sort_by(|a, b| (&a.sample_id, &a.location).cmp(&(&b.sample_id, &b.location)));
                loop {
                    let full = match (pending.get(rows_per_file - 1), order.peek()) {
                        (Some(last), Some((next, _))) => {
                            (&last.sample_id, &last.location) < (&next.0, &next.1)
                        }
                        (Some(_), None) => true,
                        (None, Some(_)) => false,
                        (None, None) => !pending.is_empty(),
                    };
                    if !full {
                        break;
                    }
                    let rest = pending.split_off(pending.len().min(rows_per_file));
                    let key = &self.manifest.feature_key;
                    let name = part_name(
                        key,
                        pending.iter().map(|row| (&*row.location, &*row.version)),
                    );
                    parts.push(write_rows(
                        &self.stores,
                        &self.root,
                        key,
                        dimension,
                        &name,
                        &pending,
                    )?);
                    pending = rest;
                }
            }
            self.manifest.parts = parts;
        }
        if self.manifest.rejects.len() > 1 {
            let mut rejects = self.rejects()?;
            rejects.sort_by(|a, b| a.location.cmp(&b.location));
            let key = &self.manifest.feature_key;
            self.manifest.rejects = vec![write_rejects(&self.stores, &self.root, key, &rejects)?];
        }
        self.write_manifest()?;
        self.sweep()?;
        Ok(Compaction {
            before,
            after: self.manifest.parts.len(),
        })
    }

    fn first_row(&self, part: &PartEntry) -> Result<(String, String), DataError> {
        let (location, bytes) = table::read_part(&self.stores, &self.root, part)?;
        let mut first = None;
        table::read_batches(
            &location,
            bytes,
            Some(&["sample_id", "location"]),
            |batch| {
                if first.is_none() && batch.num_rows() > 0 {
                    let sample_id = column::<StringArray>(batch, &location, "sample_id")?;
                    let address = column::<StringArray>(batch, &location, "location")?;
                    first = Some((sample_id.value(0).to_owned(), address.value(0).to_owned()));
                }
                Ok(())
            },
        )?;
        Ok(first.unwrap_or_default())
    }

    /// Removes what no manifest names: leftovers of interrupted runs and files
    /// that were merged.
    fn sweep(&self) -> Result<(), DataError> {
        for file in self.unnamed()? {
            self.stores.delete(&self.root.join(&file))?;
        }
        Ok(())
    }

    /// Files of this key that no manifest names.
    fn unnamed(&self) -> Result<Vec<String>, DataError> {
        let mut unnamed = Vec::new();
        let named: BTreeSet<&str> = self
            .manifest
            .parts
            .iter()
            .chain(&self.manifest.rejects)
            .map(|part| part.file.as_str())
            .collect();
        let key = &self.manifest.feature_key;
        let prefix = reject_prefix(key);
        for (folder, begins) in [
            (format!("{FEATURES}/{key}"), ""),
            (Reject::NAME.to_owned(), prefix.as_str()),
        ] {
            for name in self.stores.names(&self.root.join(&folder))? {
                let file = format!("{folder}/{name}");
                if name.contains(".parquet") && name.starts_with(begins) && !named.contains(&*file)
                {
                    unnamed.push(file);
                }
            }
        }
        Ok(unnamed)
    }
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

/// Calls `visit` with row, key and feature vector of each row of a batch.
fn visit_vectors(
    batch: &RecordBatch,
    location: &Location,
    key_column: &str,
    mut visit: impl FnMut(usize, &str, &[f32]),
) -> Result<(), DataError> {
    let keys = column::<StringArray>(batch, location, key_column)?;
    let list = column::<FixedSizeListArray>(batch, location, "features")?;
    for row in 0..batch.num_rows() {
        visit(row, keys.value(row), vector(list, row, location)?);
    }
    Ok(())
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
        visit_vectors(batch, location, key_column, |_, key, features| {
            visit(key, features);
        })
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
