//! The features of selected samples as one matrix.

use std::collections::HashMap;

use sparkles_data::{DataError, Dataset, Sample};
use sparkles_learn::Matrix;
use sparkles_vision::Backbone;

use crate::featurize::feature_info;
use crate::{AlphaPolicy, Error};

/// The features of some samples, one row for each that has any.
pub(crate) struct SampleMatrix {
    /// Rows in order of the samples asked for.
    pub(crate) features: Matrix,
    /// Row of each sample that has features, and the mark of its file's contents.
    rows: HashMap<usize, (usize, u64)>,
}

impl SampleMatrix {
    /// Reads the features of `samples` (with their positions, ascending).
    pub(crate) fn read(
        dataset: &Dataset,
        backbone: &Backbone,
        alpha: AlphaPolicy,
        samples: &[(usize, &Sample)],
    ) -> Result<Self, Error> {
        let store = dataset.features(&feature_info(backbone, alpha))?;
        let dimension = backbone.dimension();
        let wanted: HashMap<&str, usize> = samples
            .iter()
            .enumerate()
            .map(|(order, (_, sample))| (sample.location.as_str(), order))
            .collect();
        // Where each sample would go, then without the gaps of rejects.
        let mut values = vec![0f32; samples.len() * dimension];
        let mut contents = vec![None; samples.len()];
        let mut odd_length = false;
        store.visit(|found| {
            odd_length |= found.features.len() != dimension;
            if let Some(&order) = wanted.get(found.location)
                && let Some(row) = values.get_mut(order * dimension..(order + 1) * dimension)
                && row.len() == found.features.len()
            {
                row.copy_from_slice(found.features);
                if let Some(content) = contents.get_mut(order) {
                    *content = Some(content_mark(found.content_hash));
                }
            }
        })?;
        if odd_length {
            return Err(Error::Data(DataError::Corrupt {
                location: dataset.root().to_string(),
                reason: format!("it holds features of another length than {dimension}"),
            }));
        }
        let mut rows = HashMap::with_capacity(samples.len());
        let mut next = 0;
        for (order, (position, _)) in samples.iter().enumerate() {
            if let Some(Some(content)) = contents.get(order) {
                values.copy_within(order * dimension..(order + 1) * dimension, next * dimension);
                rows.insert(*position, (next, *content));
                next += 1;
            }
        }
        values.truncate(next * dimension);
        Ok(Self {
            features: Matrix::new(dimension, values)?,
            rows,
        })
    }

    /// The row of the sample at that position, if it has features.
    pub(crate) fn row_of(&self, sample: usize) -> Option<usize> {
        self.rows.get(&sample).map(|(row, _)| *row)
    }

    /// The mark of the contents of that sample's file, if it has features.
    pub(crate) fn content_of(&self, sample: usize) -> Option<u64> {
        self.rows.get(&sample).map(|(_, content)| *content)
    }
}

/// Eight bytes of a hash: enough to tell the files of a dataset apart.
fn content_mark(hash: &str) -> u64 {
    hash.get(..16)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .unwrap_or_default()
}
