//! The dataset: a directory of tables that one manifest names.

use std::collections::BTreeSet;

use crate::features::FEATURES;
use crate::manifest::{self, FORMAT_VERSION};
use crate::table::{self, Table};
use crate::{
    Claim, Class, DataError, DatasetManifest, FeatureInfo, FeatureStore, IngestCounts, Label,
    Location, Reject, Sample, Stores,
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
///
/// While there is one, no other process can begin one at the same place.
#[derive(Debug)]
pub struct DatasetBuilder {
    stores: Stores,
    root: Location,
    manifest: DatasetManifest,
    /// The manifest that the new one replaces.
    previous: Option<DatasetManifest>,
    #[expect(dead_code, reason = "held until the builder is dropped")]
    claim: Claim,
}

impl DatasetBuilder {
    /// Begins a dataset at `root`, where nothing may be but what an interrupted
    /// ingest left: files named by a hash in the folders of tables.
    pub fn new(stores: &Stores, root: &Location) -> Result<Self, DataError> {
        check_free(stores, root)?;
        let claim = Claim::take(root)?;
        // Once more, now that nobody else writes to it.
        check_free(stores, root)?;
        Self::begin(stores, root, claim, None)
    }

    /// Begins new tables of the dataset at `root`. Its features stay.
    pub fn update(stores: &Stores, root: &Location) -> Result<Self, DataError> {
        Dataset::open(stores, root)?;
        let claim = Claim::take(root)?;
        let previous = Dataset::open(stores, root)?.manifest;
        Self::begin(stores, root, claim, Some(previous))
    }

    fn begin(
        stores: &Stores,
        root: &Location,
        claim: Claim,
        previous: Option<DatasetManifest>,
    ) -> Result<Self, DataError> {
        let builder = Self {
            stores: stores.clone(),
            root: root.clone(),
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
            previous,
            claim,
        };
        builder.sweep()?;
        Ok(builder)
    }

    /// The dataset as it was, where this is an update.
    pub fn previous(&self) -> Option<Dataset> {
        self.previous.clone().map(|manifest| Dataset {
            stores: self.stores.clone(),
            root: self.root.clone(),
            manifest,
        })
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

    /// Makes the tables exist, by writing the manifest, and removes those that it
    /// replaces.
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
        let written = match &self.previous {
            None => self.stores.put_new(&location, text),
            Some(_) => self.stores.put(&location, text),
        };
        if let Err(error) = written {
            if let Ok(other) = Dataset::open(&self.stores, &self.root) {
                self.previous = Some(other.manifest);
            }
            return Err(error);
        }
        let manifest = self.manifest.clone();
        // From here on these are the tables to keep.
        self.previous = Some(manifest.clone());
        Ok(Dataset {
            stores: self.stores.clone(),
            root: self.root.clone(),
            manifest,
        })
    }

    /// Removes the tables that no committed manifest names.
    fn sweep(&self) -> Result<(), DataError> {
        let named: BTreeSet<&str> = self.previous.iter().flat_map(files).collect();
        for file in tables(&self.stores, &self.root)? {
            if !named.contains(file.as_str()) {
                self.stores.delete(&self.root.join(&file))?;
            }
        }
        Ok(())
    }
}

impl Drop for DatasetBuilder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next builder.
        let _ = self.sweep();
        for folder in TABLE_FOLDERS {
            self.stores.remove_empty_folder(&self.root.join(folder));
        }
    }
}

/// Folders of tables that are named by their hashes.
const TABLE_FOLDERS: [&str; 3] = [Sample::NAME, Label::NAME, Reject::NAME];

/// Refuses a place where anything is but tables without a manifest.
fn check_free(stores: &Stores, root: &Location) -> Result<(), DataError> {
    stores.check_folder(root)?;
    let tables: BTreeSet<String> = tables(stores, root)?.into_iter().collect();
    let is_left = |file: &str| tables.contains(file);
    let names = stores.names(root)?;
    let only_classes = names.len() == 1;
    for name in &names {
        let is_free = if TABLE_FOLDERS.contains(&name.as_str()) {
            let names = stores.names(&root.join(name))?;
            names.iter().all(|file| is_left(&format!("{name}/{file}")))
        } else {
            // A lone file of that name may be anybody's.
            name == Claim::FILE || is_left(name) && !only_classes
        };
        if !is_free {
            return Err(DataError::Exists {
                location: root.to_string(),
            });
        }
    }
    Ok(())
}

/// What is named as tables of ingest are, whether a manifest names it or not.
fn tables(stores: &Stores, root: &Location) -> Result<Vec<String>, DataError> {
    let mut tables = Vec::new();
    for folder in TABLE_FOLDERS {
        let names = stores.names(&root.join(folder))?;
        let hashed = names.into_iter().filter(|name| is_hash_name(name));
        tables.extend(hashed.map(|name| format!("{folder}/{name}")));
    }
    let others = stores.names(root)?.into_iter().filter(|name| {
        let hashed = name.strip_prefix(Class::NAME);
        let hashed = hashed.and_then(|name| name.strip_prefix('-'));
        let is_classes = Class::FILE.is_some_and(|file| name.starts_with(file));
        let is_half_manifest = name.starts_with(MANIFEST) && name != MANIFEST;
        is_classes || is_half_manifest || hashed.is_some_and(is_hash_name)
    });
    tables.extend(others);
    Ok(tables)
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

/// Whether a file is named as tables are: sixteen hexadecimal digits. A killed
/// process may leave one with something behind its extension.
fn is_hash_name(name: &str) -> bool {
    name.split_once(".parquet").is_some_and(|(stem, _)| {
        stem.len() == 16 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
