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
    /// Row of each sample that has features.
    rows: HashMap<usize, usize>,
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
        let mut present = vec![false; samples.len()];
        let mut odd_length = false;
        store.visit(|_, location, features| {
            odd_length |= features.len() != dimension;
            if let Some(&order) = wanted.get(location)
                && let Some(row) = values.get_mut(order * dimension..(order + 1) * dimension)
                && row.len() == features.len()
            {
                row.copy_from_slice(features);
                if let Some(present) = present.get_mut(order) {
                    *present = true;
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
            if present.get(order) == Some(&true) {
                values.copy_within(order * dimension..(order + 1) * dimension, next * dimension);
                rows.insert(*position, next);
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
        self.rows.get(&sample).copied()
    }
}
