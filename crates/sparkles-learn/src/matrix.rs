//! Features in memory.

use crate::LearnError;

/// Dense features: one row per sample, row after row, `f32`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    rows: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Takes `values`, row after row, as rows of `columns` features.
    ///
    /// No columns, or a last row that is not full, is an error. No rows is not:
    /// that is for a fit to refuse, as are NaN and infinite features.
    pub fn new(columns: usize, values: Vec<f32>) -> Result<Self, LearnError> {
        if columns == 0 {
            return Err(LearnError::NoColumns);
        }
        if !values.len().is_multiple_of(columns) {
            return Err(LearnError::PartialRow {
                values: values.len(),
                columns,
            });
        }
        Ok(Self {
            columns,
            rows: values.len() / columns,
            values,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns, at least 1.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The features of row `index`; empty where there is no such row.
    pub fn row(&self, index: usize) -> &[f32] {
        self.values
            .chunks_exact(self.columns)
            .nth(index)
            .unwrap_or(&[])
    }

    /// All features, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The rows in their order.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.columns)
    }

    /// A new matrix of the rows named, in the order named; a row may be named
    /// twice, and rows that do not exist are left out.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.columns);
        for &row in rows {
            values.extend_from_slice(self.row(row));
        }
        Self {
            columns: self.columns,
            rows: values.len() / self.columns,
            values,
        }
    }
}

impl<'a> IntoIterator for &'a Matrix {
    type Item = &'a [f32];
    type IntoIter = std::slice::ChunksExact<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    #[test]
    fn rows_are_slices_of_the_values() {
        let matrix = Matrix::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!((matrix.rows(), matrix.columns()), (3, 2));
        assert_eq!(matrix.row(1), [3.0, 4.0]);
        assert!(matrix.row(3).is_empty());
        assert_eq!(matrix.iter().count(), 3);
        let selected = matrix.select(&[2, 0, 2, 9]);
        assert_eq!(selected.values(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        assert_eq!(selected.rows(), 3);
    }

    #[test]
    fn ragged_values_are_refused() {
        assert_eq!(
            Matrix::new(2, vec![1.0; 3]).unwrap_err().to_string(),
            "3 values do not fill rows of 2 columns"
        );
        assert_eq!(Matrix::new(0, vec![]), Err(LearnError::NoColumns));
        assert_eq!(Matrix::new(4, vec![]).unwrap().rows(), 0);
    }
}
