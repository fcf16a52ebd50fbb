//! Areas under curves over all thresholds of a score.

use crate::LearnError;
use crate::statistics::total_weight;

/// True and false positives above every threshold of a score.
///
/// Exact: every distinct score is a threshold (Spark with `numBins=0`), and rows of
/// equal score are above it together.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryScores {
    /// Weights of positives and negatives at or above each distinct score, from the
    /// highest score down.
    above: Vec<(f64, f64)>,
    positives: f64,
    negatives: f64,
}

impl BinaryScores {
    /// Takes one score per row, whether the row is positive, and its weight (1 without
    /// weights). Higher scores speak for positive; they need not be probabilities.
    pub fn new(
        scores: &[f64],
        positive: &[bool],
        weights: Option<&[f64]>,
    ) -> Result<Self, LearnError> {
        total_weight(scores.len(), weights)?;
        if positive.len() != scores.len() {
            return Err(LearnError::Length {
                what: "labels",
                expected: scores.len(),
                found: positive.len(),
            });
        }
        if let Some(row) = scores.iter().position(|score| score.is_nan()) {
            return Err(LearnError::ScoreNotANumber { row });
        }
        let weight =
            |row: usize| weights.map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0));
        let mut rows: Vec<(f64, bool, f64)> = scores
            .iter()
            .zip(positive)
            .enumerate()
            .map(|(row, (&score, &positive))| (score, positive, weight(row)))
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));

        let mut above = Vec::new();
        let (mut positives, mut negatives) = (0.0, 0.0);
        // −0 and 0 are one score.
        for tied in rows.chunk_by(|a, b| a.0 >= b.0 && b.0 >= a.0) {
            for &(_, positive, weight) in tied {
                if positive {
                    positives += weight;
                } else {
                    negatives += weight;
                }
            }
            above.push((positives, negatives));
        }
        Ok(Self {
            above,
            positives,
            negatives,
        })
    }

    /// (false positive rate, true positive rate) from (0, 0) to (1, 1).
    ///
    /// A rate of a class that has no rows is 0, as in Spark.
    pub fn roc_points(&self) -> Vec<(f64, f64)> {
        let inner = self
            .above
            .iter()
            .map(|&(tp, fp)| (share(fp, self.negatives), share(tp, self.positives)));
        let mut points = vec![(0.0, 0.0)];
        points.extend(inner);
        points.push((1.0, 1.0));
        points
    }

    /// (recall, precision), from (0, precision of the highest score) on, as in Spark;
    /// scikit-learn's curve begins at (0, 1).
    pub fn precision_recall_points(&self) -> Vec<(f64, f64)> {
        let inner: Vec<(f64, f64)> = self
            .above
            .iter()
            .map(|&(tp, fp)| (share(tp, self.positives), precision(tp, fp)))
            .collect();
        let first = inner.first().map(|&(_, precision)| (0.0, precision));
        first.into_iter().chain(inner).collect()
    }

    /// Area under the ROC curve by trapezoids: the probability that a positive scores
    /// above a negative, ties counting half.
    ///
    /// With one class only there is no such probability; the value is Spark's, 1 where
    /// all rows are positive and 0 where none is (scikit-learn: NaN).
    pub fn area_under_roc(&self) -> f64 {
        trapezoids(&self.roc_points())
    }

    /// Area under the precision-recall curve by trapezoids, as in Spark; 0 without
    /// positives. [`average_precision`](Self::average_precision) is the step sum.
    pub fn area_under_pr(&self) -> f64 {
        trapezoids(&self.precision_recall_points())
    }

    /// Σ (Rₖ − Rₖ₋₁) Pₖ over the thresholds, scikit-learn's `average_precision_score`;
    /// 0 without positives.
    pub fn average_precision(&self) -> f64 {
        let mut before = 0.0;
        let mut sum = 0.0;
        for &(tp, fp) in &self.above {
            sum += share(tp - before, self.positives) * precision(tp, fp);
            before = tp;
        }
        sum
    }
}

fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

/// 1 where nothing that weighs anything is above the threshold, as in Spark.
fn precision(tp: f64, fp: f64) -> f64 {
    if tp + fp > 0.0 { tp / (tp + fp) } else { 1.0 }
}

fn trapezoids(points: &[(f64, f64)]) -> f64 {
    points
        .windows(2)
        .map(|pair| match pair {
            [(x0, y0), (x1, y1)] => (x1 - x0) * (y1 + y0) / 2.0,
            _ => 0.0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn areas() {
        type Case = (&'static str, &'static [f64], &'static [u8], f64, f64, f64);
        // areas under ROC and PR, average precision
        let cases: [Case; 6] = [
            (
                "perfect",
                &[0.1, 0.2, 0.8, 0.9],
                &[0, 0, 1, 1],
                1.0,
                1.0,
                1.0,
            ),
            (
                "inverted",
                &[0.9, 0.8, 0.2, 0.1],
                &[0, 0, 1, 1],
                0.0,
                7.0 / 24.0,
                5.0 / 12.0,
            ),
            (
                "all tied",
                &[0.5, 0.5, 0.5, 0.5],
                &[0, 1, 0, 1],
                0.5,
                0.5,
                0.5,
            ),
            ("zeros tie", &[0.0, -0.0], &[0, 1], 0.5, 0.5, 0.5),
            ("all positive", &[0.1, 0.2], &[1, 1], 1.0, 1.0, 1.0),
            ("all negative", &[0.1, 0.2], &[0, 0], 0.0, 0.0, 0.0),
        ];
        for (name, scores, labels, roc, pr, average_precision) in cases {
            let positive: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
            let binary = BinaryScores::new(scores, &positive, None).unwrap();
            assert!((binary.area_under_roc() - roc).abs() < 1e-12, "{name}");
            assert!(
                (binary.area_under_pr() - pr).abs() < 1e-12,
                "{name} {}",
                binary.area_under_pr()
            );
            let found = binary.average_precision();
            assert!((found - average_precision).abs() < 1e-12, "{name} {found}");
        }
    }

    #[test]
    fn bad_scores_are_refused() {
        let new = |scores, positive, weights| BinaryScores::new(scores, positive, weights);
        assert_eq!(new(&[], &[], None), Err(LearnError::NoRows));
        assert_eq!(
            new(&[0.0, f64::NAN], &[true, false], None),
            Err(LearnError::ScoreNotANumber { row: 1 })
        );
        assert!(new(&[0.0], &[true, false], None).is_err());
        assert!(new(&[0.0], &[true], Some(&[0.0])).is_err());
    }

    proptest! {
        #[test]
        fn whole_weights_are_repeated_rows(rows in prop::collection::vec((0u8..6, any::<bool>(), 0u8..4), 1..30)) {
            prop_assume!(rows.iter().any(|row| row.2 > 0));
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let positive: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
            let weighted = BinaryScores::new(&scores, &positive, Some(&weights)).unwrap();
            let (repeated, repeated_positive): (Vec<f64>, Vec<bool>) = rows
                .iter()
                .flat_map(|row| std::iter::repeat_n((f64::from(row.0), row.1), usize::from(row.2)))
                .unzip();
            let plain = BinaryScores::new(&repeated, &repeated_positive, None).unwrap();
            prop_assert!((weighted.area_under_roc() - plain.area_under_roc()).abs() < 1e-12);
            prop_assert!((weighted.average_precision() - plain.average_precision()).abs() < 1e-12);
            // Turning the scores round turns the ROC curve round.
            let negated: Vec<f64> = scores.iter().map(|score| -score).collect();
            let turned = BinaryScores::new(&negated, &positive, Some(&weights)).unwrap();
            if weighted.positives > 0.0 && weighted.negatives > 0.0 {
                prop_assert!((weighted.area_under_roc() + turned.area_under_roc() - 1.0).abs() < 1e-12);
            }
        }
    }
}
