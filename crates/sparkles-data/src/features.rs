//! The features of one feature key: parts, their manifest, their compaction.

mod compaction;
mod part;

use std::collections::BTreeSet;

use arrow::array::StringArray;

use crate::manifest::{self, FORMAT_VERSION};
use crate::table::{self, column};
use crate::{Claim, DataError, FeatureManifest, Location, Reject, Stores};

pub use compaction::Compaction;
pub use part::{
    FeatureInfo, FeatureRow, FeatureView, PartReceipt, part_name, read_features, write_part,
};
use part::{read_rows, visit_part, visit_rows, write_rejects, write_rows};

/// Folder of the dataset that holds one folder a feature key.
pub(crate) const FEATURES: &str = "features";
/// The underscore hides it from what reads the folder as one table.
const MANIFEST: &str = "_manifest.json";

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

/// The features of one key in one dataset.
#[derive(Debug)]
pub struct FeatureStore {
    stores: Stores,
    root: Location,
    manifest: FeatureManifest,
    /// Held while this process changes the features.
    claim: Option<Claim>,
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
            claim: None,
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
            claim: None,
        })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &FeatureManifest {
        &self.manifest
    }

    fn folder(&self) -> Location {
        self.root.join(FEATURES).join(&self.manifest.feature_key)
    }

    /// Makes this process the only one that changes these features, and reads the
    /// manifest anew.
    pub fn lock(&mut self) -> Result<(), DataError> {
        let folder = self.folder();
        self.claim = Some(Claim::take(&folder)?);
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

    /// Calls `visit` with each row, part by part.
    pub fn visit(&self, mut visit: impl FnMut(FeatureView<'_>)) -> Result<(), DataError> {
        for part in &self.manifest.parts {
            visit_part(&self.stores, &self.root, part, |batch, location| {
                visit_rows(batch, location, &mut visit)
            })?;
        }
        Ok(())
    }

    /// Locations of the features and of the rejects of photos that `is_known` (of
    /// sample id and location) does not know.
    pub fn unknown(
        &mut self,
        is_known: impl Fn(&str, &str) -> bool,
    ) -> Result<(BTreeSet<String>, BTreeSet<String>), DataError> {
        let features = self.index()?;
        let stale = features
            .into_iter()
            .filter(|row| !is_known(&row.sample_id, &row.location))
            .map(|row| row.location);
        let refused = self.rejects()?;
        let refused = refused.into_iter().filter(|reject| {
            let id = reject.sample_id.as_deref().unwrap_or_default();
            !is_known(id, &reject.location)
        });
        Ok((
            stale.collect(),
            refused.map(|reject| reject.location).collect(),
        ))
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
            let rows = read_rows(&self.stores, &self.root, &part)?;
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
}
