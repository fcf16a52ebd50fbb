//! Logistic regression: params, fit, summary.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::geometry::Geometry;
use crate::logistic_objective::LogisticObjective;
use crate::statistics::{ColumnStatistics, total_weight};
use crate::{Lbfgs, LearnError, LogisticRegressionModel, Matrix, StopReason};

/// Which likelihood, and with it the shape of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Binomial for two classes, multinomial for more.
    #[default]
    Auto,
    /// Two classes, one row of coefficients: those of class 1 against class 0.
    Binomial,
    /// Softmax: a row of coefficients per class, no pivot class.
    Multinomial,
}

impl Family {
    /// The family that a fit of `class_count` classes uses.
    pub(crate) fn resolve(self, class_count: usize) -> Result<Self, LearnError> {
        match self {
            Self::Auto if class_count > 2 => Ok(Self::Multinomial),
            Self::Auto | Self::Binomial if class_count == 2 => Ok(Self::Binomial),
            Self::Multinomial if class_count >= 2 => Ok(Self::Multinomial),
            Self::Binomial => Err(LearnError::ClassCount {
                family: self,
                expected: "2 classes",
                found: class_count,
            }),
            Self::Auto | Self::Multinomial => Err(LearnError::ClassCount {
                family: self,
                expected: "2 classes or more",
                found: class_count,
            }),
        }
    }

    /// Rows of coefficients.
    pub(crate) fn outputs(self, class_count: usize) -> usize {
        if self == Self::Binomial {
            1
        } else {
            class_count
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Binomial => "binomial",
            Self::Multinomial => "multinomial",
        })
    }
}

impl FromStr for Family {
    type Err = LearnError;

    fn from_str(text: &str) -> Result<Self, LearnError> {
        match text {
            "auto" => Ok(Self::Auto),
            "binomial" => Ok(Self::Binomial),
            "multinomial" => Ok(Self::Multinomial),
            _ => Err(LearnError::Unknown {
                what: "family",
                found: text.to_owned(),
                expected: "auto, binomial, multinomial",
            }),
        }
    }
}

/// Estimator of Spark ML's `LogisticRegression`, with an L2 penalty.
///
/// Params bear Spark's names and, but for `reg_param`, Spark's defaults. What is saved
/// with a model is these params less `threads`, which never changes a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogisticRegression {
    /// λ, weight of the L2 penalty, at least 0. Default 0.01 (Spark: 0, which has no
    /// optimum where a hyperplane separates the classes).
    pub reg_param: f64,
    /// Most iterations. Default 100.
    pub max_iter: usize,
    /// Done when the norm of the gradient is at most `tol` × objective, or near that
    /// while the objective has settled ([`Lbfgs::tol`]). Stricter than MLlib, which also
    /// stops at a gradient that is not small. Default 1e-6.
    pub tol: f64,
    /// Whether there is an intercept, which is never penalised. Default true.
    pub fit_intercept: bool,
    /// Whether the penalty treats all columns as if of deviation 1. Default true.
    pub standardization: bool,
    /// Default auto.
    pub family: Family,
    /// Threads to use, 0 counting as 1. Default: as many as the machine runs at once.
    #[serde(skip, default = "available_threads")]
    pub threads: usize,
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

impl Default for LogisticRegression {
    fn default() -> Self {
        let optimiser = Lbfgs::default();
        Self {
            reg_param: 0.01,
            max_iter: optimiser.max_iter,
            tol: optimiser.tol,
            fit_intercept: true,
            standardization: true,
            family: Family::Auto,
            threads: available_threads(),
        }
    }
}

/// How a fit went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitSummary {
    /// Accepted steps of the optimiser.
    pub iterations: usize,
    /// Passes over the data by the optimiser.
    pub evaluations: usize,
    /// Whether the optimum was found.
    pub converged: bool,
    /// Why the optimiser stopped.
    pub stop: StopReason,
    /// The objective (nats, penalty included) at the start and after every iteration.
    pub objective_history: Vec<f64>,
    /// Columns that are the same in every row: they get coefficient 0.
    pub constant_columns: usize,
    /// Classes that no row (that weighs anything) is of.
    pub absent_classes: Vec<u32>,
}

impl FitSummary {
    /// The objective at the end.
    pub fn objective(&self) -> f64 {
        self.objective_history.last().copied().unwrap_or(f64::NAN)
    }
}

impl LogisticRegression {
    /// Fits to `features`, row `i` being of class `label_indices[i]` of `class_count`
    /// and counted `weights[i]` times (1 without weights).
    ///
    /// The optimum is MLlib's, and so is the starting point. One departure: rows of a
    /// single class are an error here, where MLlib returns an infinite intercept.
    /// Reaching `max_iter` is no error; the summary says so.
    pub fn fit(
        &self,
        features: &Matrix,
        label_indices: &[u32],
        class_count: usize,
        weights: Option<&[f64]>,
    ) -> Result<(LogisticRegressionModel, FitSummary), LearnError> {
        self.check_params()?;
        let total_weight = total_weight(features.rows(), weights)?;
        let class_weights = class_weights(features.rows(), label_indices, class_count, weights)?;
        let family = self.family.resolve(class_count)?;
        let statistics = ColumnStatistics::new(features, weights, self.threads)?;

        let outputs = family.outputs(class_count);
        let curvature = start_curvature(&class_weights, total_weight);
        let geometry = Geometry::new(
            &statistics,
            self.reg_param,
            self.fit_intercept,
            self.standardization,
            curvature,
        );
        let mut objective = LogisticObjective {
            features,
            label_indices,
            weights,
            total_weight,
            family,
            outputs,
            geometry: &geometry,
            fit_intercept: self.fit_intercept,
            threads: self.threads,
        };
        let mut start = vec![0.0; outputs * features.columns()];
        if self.fit_intercept {
            start.extend(start_intercepts(family, &class_weights));
        }
        let optimiser = Lbfgs {
            max_iter: self.max_iter,
            tol: self.tol,
        };
        let minimum = optimiser.minimize(&mut objective, start)?;
        if let Some(&loss) = minimum.history.first()
            && !loss.is_finite()
        {
            return Err(LearnError::ObjectiveNotFinite { loss });
        }
        let model = self.model(family, class_count, &geometry, &minimum.parameters)?;
        let summary = FitSummary {
            iterations: minimum.iterations(),
            evaluations: minimum.evaluations,
            converged: minimum.stop.converged(),
            stop: minimum.stop,
            objective_history: minimum.history,
            constant_columns: geometry
                .scales
                .iter()
                .filter(|&&scale| scale == 0.0)
                .count(),
            absent_classes: (0..)
                .zip(&class_weights)
                .filter_map(|(class, &weight)| (weight == 0.0).then_some(class))
                .collect(),
        };
        Ok((model, summary))
    }

    fn check_params(&self) -> Result<(), LearnError> {
        let params = [("reg_param", self.reg_param), ("tol", self.tol)];
        for (name, value) in params {
            if !value.is_finite() || value < 0.0 {
                return Err(LearnError::Param {
                    name,
                    value,
                    expected: "a finite number of at least 0",
                });
            }
        }
        Ok(())
    }

    /// Parameters become coefficients of the original columns.
    fn model(
        &self,
        family: Family,
        class_count: usize,
        geometry: &Geometry,
        parameters: &[f64],
    ) -> Result<LogisticRegressionModel, LearnError> {
        let columns = geometry.scales.len();
        let outputs = family.outputs(class_count);
        let (parameters, centred_intercepts) = parameters
            .split_at_checked(outputs * columns)
            .unwrap_or((parameters, &[]));
        let mut coefficients: Vec<f64> = parameters
            .chunks_exact(columns)
            .flat_map(|row| row.iter().zip(&geometry.scales).map(|(v, s)| v * s))
            .collect();
        let multinomial = family == Family::Multinomial;
        if multinomial && self.reg_param == 0.0 {
            // The mean of a column over the classes is free: MLlib makes it 0.
            for column in 0..columns {
                centre(coefficients.iter_mut().skip(column).step_by(columns));
            }
        }
        let mut intercepts = vec![0.0; outputs];
        if self.fit_intercept {
            for ((intercept, centred), row) in intercepts
                .iter_mut()
                .zip(centred_intercepts)
                .zip(coefficients.chunks_exact(columns))
            {
                let shift: f64 = row.iter().zip(&geometry.centres).map(|(b, c)| b * c).sum();
                *intercept = centred - shift;
            }
            if multinomial {
                centre(intercepts.iter_mut());
            }
        }
        LogisticRegressionModel::from_parts(family, class_count, columns, coefficients, intercepts)
    }
}

/// Subtracts the mean.
fn centre<'a>(values: impl ExactSizeIterator<Item = &'a mut f64>) {
    let count = values.len() as f64;
    let values: Vec<&mut f64> = values.collect();
    let mean = values.iter().map(|value| **value).sum::<f64>() / count;
    for value in values {
        *value -= mean;
    }
}

/// Σ wᵢ per class. At least two classes must weigh something.
fn class_weights(
    rows: usize,
    label_indices: &[u32],
    class_count: usize,
    weights: Option<&[f64]>,
) -> Result<Vec<f64>, LearnError> {
    if label_indices.len() != rows {
        return Err(LearnError::Length {
            what: "label indices",
            expected: rows,
            found: label_indices.len(),
        });
    }
    let mut sums = vec![0.0; class_count];
    let mut counted = 0;
    for (row, &index) in label_indices.iter().enumerate() {
        let weight = weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0));
        let sum = usize::try_from(index)
            .ok()
            .and_then(|index| sums.get_mut(index));
        let Some(sum) = sum else {
            return Err(LearnError::ClassOutOfRange {
                what: "label index",
                row,
                index,
                class_count,
            });
        };
        *sum += weight;
        counted += usize::from(weight > 0.0);
    }
    let mut present = (0..).zip(&sums).filter(|&(_, &sum)| sum > 0.0);
    match (present.next(), present.next()) {
        (Some((class, _)), None) => Err(LearnError::OneClass {
            class,
            rows: counted,
        }),
        _ => Ok(sums),
    }
}

/// Where MLlib begins: β = 0, and the log odds of the class weights; multinomial:
/// log(1 + class weight), centred.
fn start_intercepts(family: Family, class_weights: &[f64]) -> Vec<f64> {
    if let (Family::Binomial, [negative, positive]) = (family, class_weights) {
        return vec![(positive / negative).ln()];
    }
    let mut intercepts: Vec<f64> = class_weights.iter().map(|weight| weight.ln_1p()).collect();
    centre(intercepts.iter_mut());
    intercepts
}

/// Mean over the classes of π (1 − π), π being a class's share: the second derivative
/// of the loss by z at the start.
fn start_curvature(class_weights: &[f64], total_weight: f64) -> f64 {
    let sum: f64 = class_weights
        .iter()
        .map(|weight| weight / total_weight * (1.0 - weight / total_weight))
        .sum();
    sum / class_weights.len() as f64
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    /// The optimiser begins at mean 0 over the classes and has no reason to leave it;
    /// the model's mean is 0 whatever the optimiser does.
    #[test]
    fn free_means_over_the_classes_are_made_0() {
        let geometry = Geometry {
            centres: vec![0.0, 1.0],
            scales: vec![1.0, 2.0],
            penalties: vec![0.0, 0.0],
        };
        let unpenalised = LogisticRegression {
            reg_param: 0.0,
            ..LogisticRegression::default()
        };
        let parameters = [1.0, 0.5, 2.0, 0.5, 6.0, 2.0, 0.0, 0.0, 3.0];
        let model = unpenalised
            .model(Family::Multinomial, 3, &geometry, &parameters)
            .unwrap();
        // From (1, 2, 6) and (1, 1, 4); intercepts from (0, 0, 3) − (−1, −1, 2)
        assert_eq!(model.coefficients(), [-2.0, -1.0, -1.0, -1.0, 3.0, 2.0]);
        assert_eq!(model.intercepts(), [0.0, 0.0, 0.0]);
        let penalised = LogisticRegression::default()
            .model(Family::Multinomial, 3, &geometry, &parameters)
            .unwrap();
        assert_eq!(penalised.coefficients(), [1.0, 1.0, 2.0, 1.0, 6.0, 4.0]);
    }
}
