//! The small files that say which table files count.

use serde::{Deserialize, Serialize};

use crate::{DataError, Location, Stores};

/// One committed Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEntry {
    /// Path below the dataset.
    pub file: String,
    /// Number of rows.
    pub rows: u64,
    /// blake3 of the file, in hexadecimal.
    pub hash: String,
}

/// What an ingest counted. The fields are those of its summary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngestCounts {
    /// Inputs that the image locations named: samples + rejected.
    pub found: u64,
    /// Images that were taken in.
    pub samples: u64,
    /// Rows of labels.
    pub labels: u64,
    /// Distinct label names among the rows of labels.
    pub classes: u64,
    /// Inputs that were refused.
    pub rejected: u64,
    /// Rows of the label file that were refused.
    pub rejected_labels: u64,
    /// Sample ids that several images share.
    pub doubled_ids: u64,
    /// Rows of labels that repeat an earlier one.
    pub doubled_labels: u64,
    /// Pairs of id and label that are verified present in one row and verified
    /// absent in another.
    pub contradictory_labels: u64,
    /// Samples without any label.
    pub unlabelled: u64,
    /// Labelled ids without any image, not even one that was refused.
    pub without_photo: u64,
    /// Label names that the class file does not describe.
    pub unknown_classes: u64,
}

/// `dataset.json`: what the dataset consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetManifest {
    /// Version of the directory's layout.
    pub format_version: u32,
    /// Hash of the tables: two datasets with the same id hold the same rows.
    pub dataset_id: String,
    /// Where images, labels and classes came from, as given.
    pub sources: Vec<String>,
    /// How sample ids were made: `file_stem`, `path` or a pattern.
    pub sample_ids: String,
    /// What was counted.
    pub counts: IngestCounts,
    /// Files of the table `samples`.
    pub samples: Vec<PartEntry>,
    /// Files of the table `labels`.
    pub labels: Vec<PartEntry>,
    /// Files of the table `classes`.
    pub classes: Vec<PartEntry>,
    /// Files of the rejects of ingest.
    pub rejects: Vec<PartEntry>,
}

/// `features/<key>/_manifest.json`: which parts hold the features of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureManifest {
    /// Version of the folder's layout.
    pub format_version: u32,
    /// Hash of everything that changes a feature's value.
    pub feature_key: String,
    /// Name of the backbone.
    pub backbone: String,
    /// blake3 of the backbone's file.
    pub backbone_hash: String,
    /// Length of a feature vector.
    pub dimension: u32,
    /// How alpha was treated.
    pub alpha: String,
    /// Files of features, in the order in which they were committed.
    pub parts: Vec<PartEntry>,
    /// Files of rejects.
    pub rejects: Vec<PartEntry>,
}

/// The newest layout of both manifests that this version reads and writes.
pub(crate) const FORMAT_VERSION: u32 = 1;

#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

/// Reads a manifest; `None` where there is none.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(
    stores: &Stores,
    location: &Location,
) -> Result<Option<T>, DataError> {
    let bytes = match stores.read(location) {
        Ok(bytes) => bytes,
        Err(DataError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let corrupt = |error: serde_json::Error| DataError::Corrupt {
        location: location.to_string(),
        reason: error.to_string(),
    };
    let versioned: Versioned = serde_json::from_slice(&bytes).map_err(corrupt)?;
    if versioned.format_version > FORMAT_VERSION {
        return Err(DataError::NewerFormat {
            location: location.to_string(),
            found: versioned.format_version,
            supported: FORMAT_VERSION,
        });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(corrupt)
}

/// The text of a manifest.
pub(crate) fn encode<T: Serialize>(
    location: &Location,
    manifest: &T,
) -> Result<bytes::Bytes, DataError> {
    let mut text = serde_json::to_vec_pretty(manifest).map_err(|error| DataError::Corrupt {
        location: location.to_string(),
        reason: error.to_string(),
    })?;
    text.push(b'\n');
    Ok(text.into())
}
