//! What a logistic regression becomes.

use crate::{Family, LearnError};

/// A fitted logistic regression: coefficients of the original columns, intercepts.
///
/// Raw prediction, probability and prediction are those of Spark ML.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegressionModel {
    family: Family,
    class_count: usize,
    columns: usize,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
}

impl LogisticRegressionModel {
    /// A model of its parts, as read from a file.
    ///
    /// `family` [`Family::Auto`] is resolved by the number of classes. `coefficients`
    /// are 1 × `columns` (binomial) or `class_count` × `columns` (multinomial, row
    /// after row), `intercepts` one per row. Other lengths, and values that are NaN or
    /// infinite, are errors.
    pub fn from_parts(
        family: Family,
        class_count: usize,
        columns: usize,
        coefficients: Vec<f64>,
        intercepts: Vec<f64>,
    ) -> Result<Self, LearnError> {
        let family = family.resolve(class_count)?;
        if columns == 0 {
            return Err(LearnError::NoColumns);
        }
        let outputs = family.outputs(class_count);
        let shapes = [
            (
                "coefficients",
                outputs.saturating_mul(columns),
                coefficients.len(),
            ),
            ("intercepts", outputs, intercepts.len()),
        ];
        for (what, expected, found) in shapes {
            if expected != found {
                return Err(LearnError::ModelShape {
                    what,
                    expected,
                    found,
                });
            }
        }
        for (what, values) in [("coefficient", &coefficients), ("intercept", &intercepts)] {
            if let Some((position, &value)) = values
                .iter()
                .enumerate()
                .find(|(_, value)| !value.is_finite())
            {
                return Err(LearnError::ModelNotFinite {
                    what,
                    position,
                    value,
                });
            }
        }
        Ok(Self {
            family,
            class_count,
            columns,
            coefficients,
            intercepts,
        })
    }

    /// Binomial or multinomial, never auto.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Number of classes, at least 2.
    pub fn class_count(&self) -> usize {
        self.class_count
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One row of coefficients (binomial) or one per class (multinomial), row after row.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// One intercept per row of coefficients.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// z of every class; binomial: −z and z.
    ///
    /// Another number of features than the model's is an error.
    pub fn raw_prediction(&self, features: &[f32]) -> Result<Vec<f64>, LearnError> {
        if features.len() != self.columns {
            return Err(LearnError::FeatureCount {
                expected: self.columns,
                found: features.len(),
            });
        }
        let mut raw: Vec<f64> = self
            .coefficients
            .chunks_exact(self.columns)
            .zip(&self.intercepts)
            .map(|(coefficients, intercept)| {
                let product: f64 = coefficients
                    .iter()
                    .zip(features)
                    .map(|(coefficient, &feature)| coefficient * f64::from(feature))
                    .sum();
                product + intercept
            })
            .collect();
        if self.family == Family::Binomial {
            raw = raw.into_iter().flat_map(|z| [-z, z]).collect();
        }
        Ok(raw)
    }

    /// The probability of every class; they add up to 1.
    ///
    /// Another number of features than the model's is an error, as is a feature that
    /// is NaN or infinite.
    pub fn probability(&self, features: &[f32]) -> Result<Vec<f64>, LearnError> {
        let raw = self.raw_prediction(features)?;
        if let Some((column, &value)) = features
            .iter()
            .enumerate()
            .find(|(_, value)| !value.is_finite())
        {
            return Err(LearnError::FeatureNotFinite {
                row: 0,
                column,
                value,
            });
        }
        if let (Family::Binomial, Some(z)) = (self.family, raw.last()) {
            // 1 / (1 + exp −z), and 1 less that without losing what is left of it
            let small = (-z.abs()).exp();
            let (likely, unlikely) = (1.0 / (1.0 + small), small / (1.0 + small));
            return Ok(if *z > 0.0 {
                vec![unlikely, likely]
            } else {
                vec![likely, unlikely]
            });
        }
        let largest = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut probability: Vec<f64> = raw.iter().map(|z| (z - largest).exp()).collect();
        let total: f64 = probability.iter().sum();
        for value in &mut probability {
            *value /= total;
        }
        Ok(probability)
    }

    /// The predicted label index of a row of probabilities.
    ///
    /// Binomial: 1 where the probability of class 1 is above 0.5, so a tie gives 0.
    /// Multinomial: the class of the highest probability, the first of equals.
    pub fn prediction(&self, probability: &[f64]) -> u32 {
        if self.family == Family::Binomial {
            return u32::from(probability.get(1).is_some_and(|&positive| positive > 0.5));
        }
        let mut best = (0, f64::NEG_INFINITY);
        for (class, &value) in (0..).zip(probability) {
            if value > best.1 {
                best = (class, value);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn binomial() -> LogisticRegressionModel {
        LogisticRegressionModel::from_parts(Family::Auto, 2, 2, vec![1.0, -2.0], vec![0.5]).unwrap()
    }

    #[test]
    fn binomial_raw_prediction_is_symmetric() {
        let model = binomial();
        assert_eq!(model.family(), Family::Binomial);
        assert_eq!(model.raw_prediction(&[1.0, 0.25]).unwrap(), [-1.0, 1.0]);
        let probability = model.probability(&[1.0, 0.25]).unwrap();
        assert!((probability[1] - 0.731_058_578_630_004_9).abs() < 1e-15);
        assert!((probability.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        // A tie is class 0; far out nothing overflows.
        assert_eq!(
            model.prediction(&model.probability(&[1.5, 1.0]).unwrap()),
            0
        );
        assert_eq!(model.probability(&[1e30, 0.0]).unwrap(), [0.0, 1.0]);
        assert_eq!(model.probability(&[-1e30, 0.0]).unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn multinomial_takes_the_first_of_the_highest() {
        let model = LogisticRegressionModel::from_parts(
            Family::Auto,
            3,
            1,
            vec![1.0, 1.0, -2.0],
            vec![0.0, 0.0, 0.0],
        )
        .unwrap();
        let probability = model.probability(&[1000.0]).unwrap();
        assert_eq!(probability, [0.5, 0.5, 0.0]);
        assert_eq!(model.prediction(&probability), 0);
        assert_eq!(model.prediction(&model.probability(&[-1.0]).unwrap()), 2);
    }

    #[test]
    fn wrong_shapes_are_named() {
        let model = binomial();
        assert_eq!(
            model.probability(&[1.0; 3]).unwrap_err().to_string(),
            "expected 2 features, found 3"
        );
        assert!(model.probability(&[f32::NAN, 0.0]).is_err());
        let parts = |family, classes, columns, coefficients: usize, intercepts: usize| {
            LogisticRegressionModel::from_parts(
                family,
                classes,
                columns,
                vec![0.0; coefficients],
                vec![0.0; intercepts],
            )
            .map_err(|error| error.to_string())
        };
        let cases = [
            (
                parts(Family::Binomial, 3, 2, 2, 1),
                "family `binomial` takes 2 classes, found 3",
            ),
            (
                parts(Family::Auto, 1, 2, 2, 1),
                "family `auto` takes 2 classes or more, found 1",
            ),
            (
                parts(Family::Auto, 3, 2, 4, 3),
                "expected 6 coefficients, found 4",
            ),
            (
                parts(Family::Multinomial, 2, 2, 4, 1),
                "expected 2 intercepts, found 1",
            ),
            (
                parts(Family::Auto, 2, 0, 0, 1),
                "the features have no columns",
            ),
        ];
        for (result, message) in cases {
            assert_eq!(result.unwrap_err(), message);
        }
        let infinite =
            LogisticRegressionModel::from_parts(Family::Auto, 2, 1, vec![1.0], vec![f64::INFINITY]);
        assert_eq!(
            infinite.unwrap_err().to_string(),
            "intercept 0 is inf, not a finite number"
        );
    }
}
