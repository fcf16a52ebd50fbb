//! The dataset: a directory of tables that one manifest names.

use std::collections::BTreeSet;

use crate::features::FEATURES;
use crate::manifest::{self, FORMAT_VERSION};
use crate::table::{self, Table};
use crate::{
    Class, DataError, DatasetManifest, FeatureInfo, FeatureStore, IngestCounts, Label, Location,
    Reject, Sample, Stores,
};

const MANIFEST: &str = "dataset.json";

/// A dataset that was committed.
#[derive(Debug, Clone)]
pub struct Dataset {
    stores: Stores,
    root: Location,
    manifest: DatasetManifest,
}

impl Dataset {
    /// Reads the manifest of the dataset at `root`.
    pub fn open(stores: &Stores, root: &Location) -> Result<Self, DataError> {
        let manifest = manifest::read(stores, &root.join(MANIFEST))?.ok_or_else(|| {
            let location = root.to_string();
            match root.as_local() {
                Some(path) if !path.exists() => DataError::Missing { location },
                _ => DataError::NotADataset { location },
            }
        })?;
        Ok(Self {
            stores: stores.clone(),
            root: root.clone(),
            manifest,
        })
    }

    /// Where the dataset lives.
    pub fn root(&self) -> &Location {
        &self.root
    }

    /// The stores that it is read through.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// What the dataset consists of.
    pub fn manifest(&self) -> &DatasetManifest {
        &self.manifest
    }

    /// All samples, ascending by sample id, then location.
    pub fn samples(&self) -> Result<Vec<Sample>, DataError> {
        table::read_rows(&self.stores, &self.root, &self.manifest.samples)
    }

    /// Calls `visit` with the rows of labels, file by file, in the order of
    /// their source.
    pub fn visit_labels(&self, mut visit: impl FnMut(Vec<Label>)) -> Result<(), DataError> {
        for part in &self.manifest.labels {
            visit(table::read_rows(
                &self.stores,
                &self.root,
                std::slice::from_ref(part),
            )?);
        }
        Ok(())
    }

    /// The readable names of the classes.
    pub fn classes(&self) -> Result<Vec<Class>, DataError> {
        table::read_rows(&self.stores, &self.root, &self.manifest.classes)
    }

    /// The ledger: what ingest refused, then what each feature key refused.
    pub fn rejects(&self) -> Result<Vec<Reject>, DataError> {
        let mut rejects = table::read_rows(&self.stores, &self.root, &self.manifest.rejects)?;
        for store in self.feature_stores()? {
            rejects.extend(store.rejects()?);
        }
        Ok(rejects)
    }

    /// The features of a key, whether there are any yet or not.
    pub fn features(&self, info: &FeatureInfo) -> Result<FeatureStore, DataError> {
        FeatureStore::open_or_new(&self.stores, &self.root, info)
    }

    /// The features of every key for which some were committed, by key.
    pub fn feature_stores(&self) -> Result<Vec<FeatureStore>, DataError> {
        let mut stores = Vec::new();
        for key in self.stores.names(&self.root.join(FEATURES))? {
            stores.extend(FeatureStore::open(&self.stores, &self.root, &key)?);
        }
        Ok(stores)
    }
}

/// Writes a new dataset, or new tables of one that is there; they exist from
/// [`DatasetBuilder::commit`] on. A builder that is dropped takes its files away.
#[derive(Debug)]
pub struct DatasetBuilder {
    stores: Stores,
    root: Location,
    manifest: DatasetManifest,
    /// The manifest that the new one replaces.
    previous: Option<DatasetManifest>,
    /// Whether the folder was there before.
    found_folder: bool,
    committed: bool,
}

impl DatasetBuilder {
    /// Refuses a place where anything is but what an interrupted ingest left:
    /// files named by a hash in the folders of tables.
    pub fn check_free(stores: &Stores, root: &Location) -> Result<(), DataError> {
        Self::leftovers(stores, root).map(|_| ())
    }

    /// Files of an interrupted ingest.
    fn leftovers(stores: &Stores, root: &Location) -> Result<Vec<Location>, DataError> {
        let exists = || DataError::Exists {
            location: root.to_string(),
        };
        stores.check_folder(root)?;
        let folders = [Sample::NAME, Label::NAME, Reject::NAME];
        let class_file = Class::FILE.unwrap_or_default();
        let mut leftovers = Vec::new();
        let names = stores.names(root)?;
        for name in &names {
            let location = root.join(name);
            if folders.contains(&name.as_str()) {
                for name in stores.names(&location)? {
                    if !is_hash_name(&name) {
                        return Err(exists());
                    }
                    leftovers.push(location.join(&name));
                }
            } else if name == class_file && names.len() > 1 {
                leftovers.push(location);
            } else {
                return Err(exists());
            }
        }
        Ok(leftovers)
    }

    /// Begins a dataset at `root`, which must be free ([`Self::check_free`]).
    pub fn create(stores: &Stores, root: &Location) -> Result<Self, DataError> {
        for leftover in Self::leftovers(stores, root)? {
            stores.delete(&leftover)?;
        }
        Ok(Self::new(stores, root, None))
    }

    /// Begins new tables of a dataset. Its features stay.
    pub fn update(dataset: &Dataset) -> Self {
        let previous = Some(dataset.manifest.clone());
        Self::new(&dataset.stores, &dataset.root, previous)
    }

    fn new(stores: &Stores, root: &Location, previous: Option<DatasetManifest>) -> Self {
        Self {
            stores: stores.clone(),
            root: root.clone(),
            previous,
            found_folder: root.as_local().is_some_and(std::path::Path::is_dir),
            committed: false,
            manifest: DatasetManifest {
                format_version: FORMAT_VERSION,
                dataset_id: String::new(),
                sources: Vec::new(),
                sample_ids: String::new(),
                counts: IngestCounts::default(),
                samples: Vec::new(),
                labels: Vec::new(),
                classes: Vec::new(),
                rejects: Vec::new(),
            },
        }
    }

    /// The manifest to be, for sources and counts.
    pub fn manifest_mut(&mut self) -> &mut DatasetManifest {
        &mut self.manifest
    }

    /// Adds a file of samples.
    pub fn write_samples(&mut self, rows: &[Sample]) -> Result<(), DataError> {
        let entry = table::write_rows(&self.stores, &self.root, "", rows)?;
        self.manifest.samples.push(entry);
        Ok(())
    }

    /// Adds a file of labels.
    pub fn write_labels(&mut self, rows: &[Label]) -> Result<(), DataError> {
        let entry = table::write_rows(&self.stores, &self.root, "", rows)?;
        self.manifest.labels.push(entry);
        Ok(())
    }

    /// Adds a file of classes.
    pub fn write_classes(&mut self, rows: &[Class]) -> Result<(), DataError> {
        let entry = table::write_rows(&self.stores, &self.root, "", rows)?;
        self.manifest.classes.push(entry);
        Ok(())
    }

    /// Adds a file of rejects.
    pub fn write_rejects(&mut self, rows: &[Reject]) -> Result<(), DataError> {
        let entry = table::write_rows(&self.stores, &self.root, "", rows)?;
        self.manifest.rejects.push(entry);
        Ok(())
    }

    /// Makes the tables exist, by writing the manifest.
    pub fn commit(mut self) -> Result<Dataset, DataError> {
        let mut hasher = blake3::Hasher::new();
        for (name, parts) in [
            (Sample::NAME, &self.manifest.samples),
            (Label::NAME, &self.manifest.labels),
            (Class::NAME, &self.manifest.classes),
        ] {
            hasher.update(name.as_bytes());
            for part in parts {
                hasher.update(part.hash.as_bytes());
            }
        }
        self.manifest.dataset_id = hasher.finalize().to_hex().chars().take(32).collect();
        let location = self.root.join(MANIFEST);
        let text = manifest::encode(&location, &self.manifest)?;
        match &self.previous {
            None => self.stores.put_new(&location, text)?,
            Some(_) => self.stores.put(&location, text)?,
        }
        self.committed = true;
        if let Some(previous) = &self.previous {
            self.remove_tables(previous, Some(&self.manifest));
        }
        Ok(Dataset {
            stores: self.stores.clone(),
            root: self.root.clone(),
            manifest: self.manifest.clone(),
        })
    }

    /// Removes the tables of `manifest` that `kept` does not name. What cannot be
    /// removed stays: no manifest names it.
    fn remove_tables(&self, manifest: &DatasetManifest, kept: Option<&DatasetManifest>) {
        let kept: BTreeSet<&str> = kept.into_iter().flat_map(files).collect();
        for file in files(manifest).filter(|file| !kept.contains(file)) {
            let _ = self.stores.delete(&self.root.join(file));
        }
    }
}

impl Drop for DatasetBuilder {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        self.remove_tables(&self.manifest, self.previous.as_ref());
        if self.previous.is_none() {
            for folder in [Sample::NAME, Label::NAME, Reject::NAME] {
                self.stores.remove_empty_folder(&self.root.join(folder));
            }
            if !self.found_folder {
                self.stores.remove_empty_folder(&self.root);
            }
        }
    }
}

/// The tables that a manifest names.
fn files(manifest: &DatasetManifest) -> impl Iterator<Item = &str> {
    let tables = [
        &manifest.samples,
        &manifest.labels,
        &manifest.classes,
        &manifest.rejects,
    ];
    tables.into_iter().flatten().map(|part| part.file.as_str())
}

/// Whether a file is named as tables are: sixteen hexadecimal digits.
fn is_hash_name(name: &str) -> bool {
    name.split_once(".parquet").is_some_and(|(stem, _)| {
        stem.len() == 16 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
