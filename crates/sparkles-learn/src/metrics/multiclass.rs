//! Confusion matrix, what follows from it, and log loss.

use serde::{Deserialize, Serialize};

use crate::LearnError;
use crate::statistics::total_weight;

/// Probabilities nearer to 0 or 1 than this count as this, as in Spark.
pub const LOG_LOSS_CLIP: f64 = 1e-15;

/// Rows by label index and prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    class_count: usize,
    counts: Vec<u64>,
    weights: Vec<f64>,
}

/// Metrics of one class against the others, each 0 where it would divide by 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Share of the rows predicted to be of the class that are.
    pub precision: f64,
    /// Share of the rows of the class that are predicted to be.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Rows of the class.
    pub support: u64,
}

impl Confusion {
    /// Counts rows by label index and prediction, each below `class_count`; metrics
    /// weigh rows by `weights` (1 without weights).
    pub fn new(
        class_count: usize,
        label_indices: &[u32],
        predictions: &[u32],
        weights: Option<&[f64]>,
    ) -> Result<Self, LearnError> {
        total_weight(label_indices.len(), weights)?;
        if predictions.len() != label_indices.len() {
            return Err(LearnError::Length {
                what: "predictions",
                expected: label_indices.len(),
                found: predictions.len(),
            });
        }
        let cells = class_count.saturating_mul(class_count);
        let mut confusion = Self {
            class_count,
            counts: vec![0; cells],
            weights: vec![0.0; cells],
        };
        for (row, (&label, &prediction)) in label_indices.iter().zip(predictions).enumerate() {
            let class = |what, index: u32| {
                usize::try_from(index)
                    .ok()
                    .filter(|&class| class < class_count)
                    .ok_or(LearnError::ClassOutOfRange {
                        what,
                        row,
                        index,
                        class_count,
                    })
            };
            let cell =
                class("label index", label)? * class_count + class("prediction", prediction)?;
            let weight = weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0));
            if let Some(count) = confusion.counts.get_mut(cell) {
                *count += 1;
            }
            if let Some(sum) = confusion.weights.get_mut(cell) {
                *sum += weight;
            }
        }
        Ok(confusion)
    }

    /// Number of classes.
    pub fn class_count(&self) -> usize {
        self.class_count
    }

    /// Numbers of rows, label index by prediction: one row of the matrix per label.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Rows of class `label_index` that were predicted to be `prediction`.
    pub fn count(&self, label_index: usize, prediction: usize) -> u64 {
        if label_index >= self.class_count || prediction >= self.class_count {
            return 0;
        }
        self.counts
            .get(label_index * self.class_count + prediction)
            .copied()
            .unwrap_or(0)
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Rows predicted rightly.
    pub fn correct(&self) -> u64 {
        (0..self.class_count)
            .map(|class| self.count(class, class))
            .sum()
    }

    /// Weighted share of rows predicted rightly.
    pub fn accuracy(&self) -> f64 {
        let correct: f64 = (0..self.class_count)
            .map(|class| self.weight(class, class))
            .sum();
        correct / self.total()
    }

    /// Metrics of every class, by label index.
    pub fn per_class(&self) -> Vec<ClassMetrics> {
        (0..self.class_count)
            .map(|class| self.class(class))
            .collect()
    }

    /// Mean of the classes' F1. All classes count alike, also those that no row is of
    /// (scikit-learn with `labels=range(K)`, `zero_division=0`).
    pub fn macro_f1(&self) -> f64 {
        let sum: f64 = self.per_class().iter().map(|class| class.f1).sum();
        sum / self.class_count as f64
    }

    /// Mean of the classes' F1, weighted by the rows of the class (Spark's `f1`).
    pub fn weighted_f1(&self) -> f64 {
        self.weighted(|class| class.f1)
    }

    /// Mean of the classes' precision, weighted by the rows of the class.
    pub fn weighted_precision(&self) -> f64 {
        self.weighted(|class| class.precision)
    }

    /// Mean of the classes' recall, weighted by the rows of the class: the accuracy.
    pub fn weighted_recall(&self) -> f64 {
        self.weighted(|class| class.recall)
    }

    fn weight(&self, label_index: usize, prediction: usize) -> f64 {
        self.weights
            .get(label_index * self.class_count + prediction)
            .copied()
            .unwrap_or(0.0)
    }

    fn total(&self) -> f64 {
        self.weights.iter().sum()
    }

    fn of_label(&self, class: usize) -> f64 {
        (0..self.class_count)
            .map(|other| self.weight(class, other))
            .sum()
    }

    fn class(&self, class: usize) -> ClassMetrics {
        let both = self.weight(class, class);
        let of_label = self.of_label(class);
        let predicted: f64 = (0..self.class_count)
            .map(|other| self.weight(other, class))
            .sum();
        let ratio = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
        ClassMetrics {
            precision: ratio(both, predicted),
            recall: ratio(both, of_label),
            f1: ratio(2.0 * both, of_label + predicted),
            support: (0..self.class_count)
                .map(|other| self.count(class, other))
                .sum(),
        }
    }

    fn weighted(&self, metric: impl Fn(&ClassMetrics) -> f64) -> f64 {
        let sum: f64 = (0..self.class_count)
            .map(|class| self.of_label(class) * metric(&self.class(class)))
            .sum();
        sum / self.total()
    }
}

/// Mean of −log p (nats), p being the probability that a row gives to its own class.
///
/// p is clipped to [1e-15, 1 − 1e-15] as in Spark; scikit-learn clips at 2.2e-16, so a
/// certain mistake costs 34.5 here and 36.0 there. One row of probabilities per label,
/// weighted by `weights` (1 without weights).
pub fn log_loss(
    probabilities: &[impl AsRef<[f64]>],
    label_indices: &[u32],
    weights: Option<&[f64]>,
) -> Result<f64, LearnError> {
    let total = total_weight(probabilities.len(), weights)?;
    if label_indices.len() != probabilities.len() {
        return Err(LearnError::Length {
            what: "label indices",
            expected: probabilities.len(),
            found: label_indices.len(),
        });
    }
    let mut sum = 0.0;
    for (row, (probabilities, &class)) in probabilities.iter().zip(label_indices).enumerate() {
        let probabilities = probabilities.as_ref();
        let found = usize::try_from(class)
            .ok()
            .and_then(|class| probabilities.get(class));
        let refuse = |found| LearnError::Probability { row, class, found };
        let &probability =
            found.ok_or_else(|| refuse(format!("it has {} probabilities", probabilities.len())))?;
        if !(0.0..=1.0).contains(&probability) {
            return Err(refuse(format!("{probability} is not from 0 to 1")));
        }
        let weight = weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0));
        sum -= weight * probability.clamp(LOG_LOSS_CLIP, 1.0 - LOG_LOSS_CLIP).ln();
    }
    Ok(sum / total)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn a_class_never_true_counts_in_the_macro_mean_only() {
        // reference/learn/oracle.py, "metrics"
        let confusion = Confusion::new(4, &[0, 0, 0, 1, 1, 2], &[0, 0, 1, 1, 3, 0], None).unwrap();
        assert_eq!(
            confusion.counts(),
            [2, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!((confusion.correct(), confusion.rows()), (3, 6));
        close(confusion.accuracy(), 0.5);
        close(confusion.weighted_recall(), 0.5);
        close(confusion.weighted_precision(), 0.5);
        close(confusion.weighted_f1(), 0.5);
        close(confusion.macro_f1(), 7.0 / 24.0);
        let first = confusion.per_class()[0];
        close(first.precision, 2.0 / 3.0);
        assert_eq!(first.support, 3);
        assert_eq!(confusion.count(0, 4), 0);
    }

    #[test]
    fn whole_weights_are_repeated_rows() {
        let weighted = Confusion::new(2, &[0, 1, 1], &[0, 1, 0], Some(&[2.0, 1.0, 3.0])).unwrap();
        let repeated = Confusion::new(2, &[0, 0, 1, 1, 1, 1], &[0, 0, 1, 0, 0, 0], None).unwrap();
        assert_eq!(weighted.accuracy().to_bits(), repeated.accuracy().to_bits());
        assert_eq!(
            weighted.weighted_f1().to_bits(),
            repeated.weighted_f1().to_bits()
        );
        assert_eq!((weighted.rows(), repeated.rows()), (3, 6));
    }

    #[test]
    fn log_loss_clips() {
        let rows = [[1.0, 0.0], [1.0, 0.0], [0.25, 0.75]];
        let loss = log_loss(&rows, &[0, 1, 1], None).unwrap();
        close(loss, (1e15_f64.ln() - 0.75_f64.ln()) / 3.0);
        close(
            log_loss(&rows, &[0, 1, 1], Some(&[0.0, 0.0, 2.0])).unwrap(),
            -0.75_f64.ln(),
        );
    }

    #[test]
    fn bad_input_is_named() {
        let confusion = |labels: &[u32], predictions: &[u32]| {
            Confusion::new(2, labels, predictions, None)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(confusion(&[], &[]), "no rows: at least one is needed");
        assert_eq!(
            confusion(&[0, 1], &[0, 2]),
            "prediction 2 in row 1 is out of range: there are 2 classes"
        );
        assert_eq!(
            confusion(&[0], &[0, 2]),
            "expected 1 predictions, one per row, found 2"
        );
        let loss = |rows: &[[f64; 2]], labels: &[u32]| {
            log_loss(rows, labels, None).unwrap_err().to_string()
        };
        assert_eq!(
            loss(&[[0.5, 0.5]], &[2]),
            "row 0 holds no probability of class 2: it has 2 probabilities"
        );
        assert_eq!(
            loss(&[[f64::NAN, 0.5]], &[0]),
            "row 0 holds no probability of class 0: NaN is not from 0 to 1"
        );
    }
}
