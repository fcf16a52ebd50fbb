//! Mean and deviation of every column, as MLlib's standardisation takes them.

use crate::chunks::{Pass, ordered_sums};
use crate::{LearnError, Matrix};

/// Weighted statistics of the columns of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnStatistics {
    /// μⱼ = Σ wᵢ xᵢⱼ / W, with W = Σ wᵢ.
    pub means: Vec<f64>,
    /// σⱼ, unbiased: σⱼ² = Σ wᵢ (xᵢⱼ − μⱼ)² / (W − Σ wᵢ² / W). Exactly 0 for a
    /// column that is the same in every row that weighs anything.
    pub deviations: Vec<f64>,
}

impl ColumnStatistics {
    /// Statistics of `features`, each row counted `weights` times (1 without weights).
    ///
    /// Two passes, sums in `f64` in an order that does not depend on `threads`. A
    /// feature that is NaN or infinite is an error, also where its row weighs 0.
    pub fn new(
        features: &Matrix,
        weights: Option<&[f64]>,
        threads: usize,
    ) -> Result<Self, LearnError> {
        check_finite(features)?;
        let total = total_weight(features.rows(), weights)?;
        let columns = features.columns();
        let pass = Pass {
            rows: features.rows(),
            values_per_row: columns,
            threads,
        };
        let weight =
            |row: usize| weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0));

        let mut means = ordered_sums(
            pass,
            columns,
            || (),
            |rows, sums, ()| {
                for row in rows {
                    let weight = weight(row);
                    for (sum, &value) in sums.iter_mut().zip(features.row(row)) {
                        *sum += weight * f64::from(value);
                    }
                }
            },
        );
        for mean in &mut means {
            *mean /= total;
        }

        let mut deviations = ordered_sums(
            pass,
            columns,
            || (),
            |rows, sums, ()| {
                for row in rows {
                    let weight = weight(row);
                    for ((sum, &value), &mean) in sums.iter_mut().zip(features.row(row)).zip(&means)
                    {
                        let distance = f64::from(value) - mean;
                        *sum += weight * distance * distance;
                    }
                }
            },
        );
        let squares = weights.map_or(features.rows() as f64, |weights| {
            weights.iter().map(|weight| weight * weight).sum()
        });
        let divisor = total - squares / total;
        for deviation in &mut deviations {
            *deviation = if divisor > 0.0 {
                (*deviation / divisor).sqrt()
            } else {
                0.0
            };
        }
        // Rounding of the mean leaves a constant column a deviation of some 1e-16 of it.
        for (deviation, constant) in deviations
            .iter_mut()
            .zip(constant_columns(features, weights))
        {
            if constant {
                *deviation = 0.0;
            }
        }
        Ok(Self { means, deviations })
    }
}

/// Σ wᵢ, after a look at every weight.
pub(crate) fn total_weight(rows: usize, weights: Option<&[f64]>) -> Result<f64, LearnError> {
    if rows == 0 {
        return Err(LearnError::NoRows);
    }
    let Some(weights) = weights else {
        return Ok(rows as f64);
    };
    if weights.len() != rows {
        return Err(LearnError::Length {
            what: "weights",
            expected: rows,
            found: weights.len(),
        });
    }
    for (row, &value) in weights.iter().enumerate() {
        if !value.is_finite() || value < 0.0 {
            return Err(LearnError::Weight { row, value });
        }
    }
    let sum: f64 = weights.iter().sum();
    if !(sum.is_finite() && sum > 0.0) {
        return Err(LearnError::WeightSum { rows, sum });
    }
    Ok(sum)
}

fn check_finite(features: &Matrix) -> Result<(), LearnError> {
    let Some(position) = features
        .values()
        .iter()
        .position(|value| !value.is_finite())
    else {
        return Ok(());
    };
    let columns = features.columns();
    Err(LearnError::FeatureNotFinite {
        row: position / columns,
        column: position % columns,
        value: features.values().get(position).copied().unwrap_or(f32::NAN),
    })
}

/// Which columns hold one value only, rows of weight 0 aside.
#[expect(
    clippy::float_cmp,
    reason = "the same value is meant, not nearly the same"
)]
fn constant_columns(features: &Matrix, weights: Option<&[f64]>) -> Vec<bool> {
    let mut counted = (0..features.rows())
        .filter(|&row| weights.is_none_or(|weights| weights.get(row).is_some_and(|&w| w > 0.0)))
        .map(|row| features.row(row));
    let first = counted.next().unwrap_or_default();
    let mut constant = vec![true; features.columns()];
    for row in counted {
        for ((constant, value), first) in constant.iter_mut().zip(row).zip(first) {
            *constant &= value == first;
        }
    }
    constant
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    #[test]
    fn weights_are_repeated_rows_in_the_mean() {
        let once = Matrix::new(1, vec![1.0, 2.0, 5.0]).unwrap();
        let weighted = ColumnStatistics::new(&once, Some(&[1.0, 2.0, 1.0]), 1).unwrap();
        assert_eq!(weighted.means, [2.5]);
        // (2.25 + 2·0.25 + 6.25) / (4 − 6/4)
        assert!((weighted.deviations[0] - (9.0_f64 / 2.5).sqrt()).abs() < 1e-15);
        let plain = ColumnStatistics::new(&once, None, 1).unwrap();
        // numpy.std([1, 2, 5], ddof=1)
        assert!((plain.deviations[0] - 2.081_665_999_466_133).abs() < 1e-15);
    }

    #[test]
    fn constant_means_exactly_zero_deviation() {
        // 0.1 has no short binary form, so its mean over 7 rows is not quite 0.1.
        let mut values: Vec<f32> = (0..14u8)
            .map(|i| if i % 2 == 0 { 0.1 } else { f32::from(i) })
            .collect();
        values.extend([99.0, 99.0]);
        let features = Matrix::new(2, values).unwrap();
        let mut weights = vec![0.3; 8];
        weights[7] = 0.0;
        let statistics = ColumnStatistics::new(&features, Some(&weights), 1).unwrap();
        assert_eq!(statistics.deviations[0].to_bits(), 0);
        assert!(statistics.deviations[1] > 1.0);
    }

    #[test]
    fn large_means_do_not_eat_the_deviation() {
        // 16 777 214 and 16 777 216: apart by two, with a mean of 2²⁴.
        let values = vec![16_777_214.0, 16_777_216.0, 16_777_214.0, 16_777_216.0];
        let statistics = ColumnStatistics::new(&Matrix::new(1, values).unwrap(), None, 1).unwrap();
        assert!((statistics.deviations[0] - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn bad_weights_and_features_are_named() {
        let features = Matrix::new(2, vec![0.0, 1.0, 2.0, f32::INFINITY]).unwrap();
        assert_eq!(
            ColumnStatistics::new(&features, None, 1)
                .unwrap_err()
                .to_string(),
            "feature in row 1, column 1 is inf, not a finite number"
        );
        let cases: [(usize, &[f64], &str); 5] = [
            (0, &[], "no rows: at least one is needed"),
            (2, &[1.0], "expected 2 weights, one per row, found 1"),
            (
                2,
                &[1.0, -0.5],
                "weight in row 1 is -0.5, expected a finite number of at least 0",
            ),
            (
                1,
                &[f64::NAN],
                "weight in row 0 is NaN, expected a finite number of at least 0",
            ),
            (
                2,
                &[0.0, 0.0],
                "the weights of 2 rows add up to 0, expected more than 0 and finite",
            ),
        ];
        for (rows, weights, message) in cases {
            assert_eq!(
                total_weight(rows, Some(weights)).unwrap_err().to_string(),
                message
            );
        }
    }
}
