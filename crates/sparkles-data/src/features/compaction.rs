//! Many short parts become few long ones, and what no manifest names goes.

use std::collections::BTreeSet;

use arrow::array::StringArray;

use super::part::{FeatureRow, part_name, read_rows, reject_prefix, write_rejects, write_rows};
use super::{FEATURES, FeatureStore, MANIFEST};
use crate::table::{self, Table, column};
use crate::{DataError, PartEntry, Reject};

/// Rows of a compacted file, where they are not too long.
const COMPACT_ROWS: usize = 4096;
/// Bytes of features in a compacted file.
const COMPACT_BYTES: usize = 32 << 20;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compaction {
    /// Files before.
    pub before: usize,
    /// Files after.
    pub after: usize,
}

impl FeatureStore {
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
                pending.extend(read_rows(&self.stores, &self.root, &part)?);
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
                let is_table = name.contains(".parquet");
                // A killed process may leave what it was writing: `NAME#1`.
                let is_half = name.starts_with(MANIFEST) && name != MANIFEST;
                if (is_table && name.starts_with(begins) || is_half) && !named.contains(&*file) {
                    unnamed.push(file);
                }
            }
        }
        Ok(unnamed)
    }
}
