//! The objective of logistic regression over a matrix in memory.
//!
//! With W = Σ wᵢ, rows xᵢ and label indices yᵢ:
//!
//! - binomial, zᵢ = β·xᵢ + b:
//!   F = (1/W) Σ wᵢ [log(1 + exp zᵢ) − yᵢ zᵢ] + λ/2 Σⱼ dⱼ² βⱼ²
//! - multinomial, zᵢₖ = βₖ·xᵢ + bₖ, no pivot class:
//!   F = (1/W) Σ wᵢ [log Σₖ exp zᵢₖ − zᵢ,yᵢ] + λ/2 Σₖ Σⱼ dⱼ² βₖⱼ²
//!
//! where dⱼ is the deviation σⱼ of column j under standardisation, else 1. The
//! intercept is not penalised. This is MLlib's objective.
//!
//! A parameter vector holds v, one row of D per output (1 or K), then the intercepts:
//! βⱼ = sⱼ vⱼ, and z = Σⱼ sⱼ vⱼ (xⱼ − cⱼ) + a. The centres c are the means where there
//! is an intercept, else 0: they change nothing but the meaning of a, which is
//! b + Σⱼ βⱼ cⱼ, and keep large means from drowning the digits. The scales s make the
//! curvature about equal in all parameters; see [`Geometry`].

use std::ops::Range;

use crate::chunks::{CHUNK_ROWS, Pass, ordered_sums};
use crate::geometry::Geometry;
use crate::lanes::{LANES, Lanes, QUAD, add_quad, pack, quad_products};
use crate::{Evaluation, Family, LearnError, Matrix, Objective};

/// Quads that are centred before any output is computed: 16 rows stay in the cache.
const BLOCK_QUADS: usize = 4;

/// The objective over rows in memory.
pub(crate) struct LogisticObjective<'a> {
    pub features: &'a Matrix,
    pub label_indices: &'a [u32],
    pub weights: Option<&'a [f64]>,
    /// Σ wᵢ
    pub total_weight: f64,
    pub family: Family,
    /// Rows of coefficients: 1 for binomial, K for multinomial.
    pub outputs: usize,
    pub geometry: &'a Geometry,
    pub fit_intercept: bool,
    pub threads: usize,
}

/// What a thread needs beside the sums.
struct Scratch {
    /// Centred rows, quad by quad, each row padded to whole lanes.
    rows: Vec<Lanes>,
    /// Per row and output: z, then the derivative of the row's loss by z.
    margins: Vec<f64>,
}

impl LogisticObjective<'_> {
    /// Lanes of one row, the last one padded with zeros.
    fn row_lanes(&self) -> usize {
        self.features.columns().div_ceil(LANES)
    }

    /// Numbers summed per output: the gradient by lanes, and that by the intercept.
    fn output_width(&self) -> usize {
        self.row_lanes() * LANES + 1
    }

    /// β in lanes, output after output.
    fn coefficients(&self, column: &[f64]) -> Vec<Lanes> {
        let lanes = self.row_lanes();
        let mut coefficients = Vec::with_capacity(lanes * self.outputs);
        for parameters in column
            .chunks_exact(self.features.columns())
            .take(self.outputs)
        {
            let scaled = parameters
                .iter()
                .zip(&self.geometry.scales)
                .map(|(v, s)| v * s);
            pack(scaled, lanes, &mut coefficients);
        }
        coefficients
    }

    fn intercepts<'c>(&self, column: &'c [f64]) -> &'c [f64] {
        column
            .get(self.outputs * self.features.columns()..)
            .unwrap_or_default()
    }

    /// Adds loss and gradient of some rows: `columns` × (1 + outputs × output width).
    fn sum_rows(
        &self,
        rows: Range<usize>,
        columns: &[(Vec<Lanes>, &[f64])],
        sums: &mut [f64],
        scratch: &mut Scratch,
    ) {
        let lanes = self.row_lanes();
        let quad_lanes = lanes * QUAD;
        let outputs = columns.len() * self.outputs;
        let mut block_start = rows.start;
        while block_start < rows.end {
            let block = block_start..rows.end.min(block_start + QUAD * BLOCK_QUADS);
            block_start = block.end;
            self.centre(block.clone(), &mut scratch.rows);
            let quads = scratch.rows.chunks_exact(quad_lanes);

            // z of every row and output
            scratch.margins.clear();
            scratch.margins.resize(outputs * QUAD * quads.len(), 0.0);
            let (margins, _) = scratch.margins.as_chunks_mut::<QUAD>();
            for (quad, margins) in quads.clone().zip(margins.chunks_exact_mut(outputs)) {
                let coefficients = columns.iter().flat_map(|(coefficients, intercepts)| {
                    coefficients
                        .chunks_exact(lanes)
                        .zip(intercepts.iter().copied().chain(std::iter::repeat(0.0)))
                });
                for (margin, (coefficients, intercept)) in margins.iter_mut().zip(coefficients) {
                    *margin = quad_products(quad, coefficients).map(|product| product + intercept);
                }
            }

            // loss, and its derivative in place of z
            for (quad, margins) in margins.chunks_exact_mut(outputs).enumerate() {
                for (column, margins) in margins.chunks_exact_mut(self.outputs).enumerate() {
                    let loss = self.quad_losses(block.start + quad * QUAD, &block, margins);
                    if let Some(sum) =
                        sums.get_mut(column * (1 + self.outputs * self.output_width()))
                    {
                        *sum += loss;
                    }
                }
            }

            // gradient
            for (column, sums) in sums
                .chunks_exact_mut(1 + self.outputs * self.output_width())
                .enumerate()
            {
                let Some((_, gradients)) = sums.split_first_mut() else {
                    continue;
                };
                for (output, gradient) in
                    gradients.chunks_exact_mut(self.output_width()).enumerate()
                {
                    let position = column * self.outputs + output;
                    let derivatives = margins.iter().skip(position).step_by(outputs);
                    for (quad, derivatives) in quads.clone().zip(derivatives) {
                        add_quad(gradient, quad, derivatives);
                    }
                }
            }
        }
    }

    /// Writes xᵢⱼ − cⱼ of some rows into lanes; the last quad is filled up with zeros.
    fn centre(&self, rows: Range<usize>, into: &mut Vec<Lanes>) {
        let lanes = self.row_lanes();
        let quads = rows.len().div_ceil(QUAD);
        into.clear();
        for row in rows {
            let centred = self
                .features
                .row(row)
                .iter()
                .zip(&self.geometry.centres)
                .map(|(&value, centre)| f64::from(value) - centre);
            pack(centred, lanes, into);
        }
        into.resize(quads * QUAD * lanes, [0.0; LANES]);
    }

    /// The weighted losses of up to four rows from `row` on, added; `margins` (per
    /// output, four rows) become the derivatives, 0 for rows past the block.
    fn quad_losses(&self, row: usize, block: &Range<usize>, margins: &mut [[f64; QUAD]]) -> f64 {
        let mut sum = 0.0;
        for in_quad in 0..QUAD {
            let row = row + in_quad;
            let known = (row < block.end)
                .then(|| self.label_indices.get(row))
                .flatten();
            let Some(&label) = known else {
                for margin in margins.iter_mut() {
                    margin[in_quad] = 0.0;
                }
                continue;
            };
            let weight = self
                .weights
                .map_or(1.0, |weights| weights.get(row).copied().unwrap_or(0.0));
            sum += weight * self.row_loss(label, weight, margins, in_quad);
        }
        sum
    }

    fn row_loss(
        &self,
        label: u32,
        weight: f64,
        margins: &mut [[f64; QUAD]],
        in_quad: usize,
    ) -> f64 {
        if self.family == Family::Binomial {
            let Some(margin) = margins.first_mut() else {
                return 0.0;
            };
            let positive = label == 1;
            let z = margin[in_quad];
            // log(1 + exp z) − y z, and 1 / (1 + exp −z), both without overflow
            let small = (-z.abs()).exp();
            let towards = if positive { -z } else { z };
            let probability = if z >= 0.0 { 1.0 } else { small } / (1.0 + small);
            margin[in_quad] = weight * (probability - if positive { 1.0 } else { 0.0 });
            return towards.max(0.0) + small.ln_1p();
        }
        let largest = margins.iter().fold(f64::NEG_INFINITY, |largest, margin| {
            largest.max(margin[in_quad])
        });
        let mut total = 0.0;
        let mut of_label = 0.0;
        for (class, margin) in (0u32..).zip(margins.iter_mut()) {
            let distance = margin[in_quad] - largest;
            if class == label {
                of_label = distance;
            }
            margin[in_quad] = distance.exp();
            total += margin[in_quad];
        }
        for (class, margin) in (0u32..).zip(margins.iter_mut()) {
            let truth = if class == label { 1.0 } else { 0.0 };
            margin[in_quad] = weight * (margin[in_quad] / total - truth);
        }
        total.ln() - of_label
    }

    /// Sums over the rows become the evaluation at `column`.
    fn finish(&self, column: &[f64], sums: &[f64]) -> Evaluation {
        let columns = self.features.columns();
        let (loss, gradients) = sums.split_first().unwrap_or((&f64::NAN, &[]));
        let mut loss = loss / self.total_weight;
        let mut gradient = Vec::with_capacity(self.dimension());
        for (sums, parameters) in gradients
            .chunks_exact(self.output_width())
            .zip(column.chunks_exact(columns))
        {
            let geometry = self.geometry.scales.iter().zip(&self.geometry.penalties);
            for ((sum, parameter), (scale, penalty)) in sums.iter().zip(parameters).zip(geometry) {
                gradient.push(sum * scale / self.total_weight + penalty * parameter);
                loss += 0.5 * penalty * parameter * parameter;
            }
        }
        if self.fit_intercept {
            for sums in gradients.chunks_exact(self.output_width()) {
                gradient.extend(sums.last().map(|sum| sum / self.total_weight));
            }
        }
        Evaluation { loss, gradient }
    }
}

impl Objective for LogisticObjective<'_> {
    type Error = LearnError;

    fn dimension(&self) -> usize {
        self.outputs * (self.features.columns() + usize::from(self.fit_intercept))
    }

    fn evaluate(&mut self, columns: &[Vec<f64>]) -> Result<Vec<Evaluation>, LearnError> {
        let expected = self.dimension();
        for column in columns {
            if column.len() != expected {
                return Err(LearnError::ParameterCount {
                    expected,
                    found: column.len(),
                });
            }
        }
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let prepared: Vec<_> = columns
            .iter()
            .map(|column| (self.coefficients(column), self.intercepts(column)))
            .collect();
        let width = 1 + self.outputs * self.output_width();
        let pass = Pass {
            rows: self.features.rows(),
            values_per_row: self
                .features
                .columns()
                .saturating_mul(self.outputs)
                .saturating_mul(columns.len()),
            threads: self.threads,
        };
        let scratch = || Scratch {
            rows: Vec::with_capacity(self.row_lanes() * QUAD * BLOCK_QUADS),
            margins: Vec::new(),
        };
        let sums = ordered_sums(
            pass,
            width * columns.len(),
            scratch,
            |rows, sums, scratch| self.sum_rows(rows, &prepared, sums, scratch),
        );
        Ok(columns
            .iter()
            .zip(sums.chunks_exact(width))
            .map(|(column, sums)| self.finish(column, sums))
            .collect())
    }
}

// The chunks end where blocks end, so a row's place in its block is fixed.
const _: () = assert!(CHUNK_ROWS.is_multiple_of(QUAD * BLOCK_QUADS));

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use crate::ColumnStatistics;

    use super::*;

    /// Rows enough for two chunks, a column of large mean and a constant one.
    fn features(columns: usize) -> Matrix {
        let rows = CHUNK_ROWS + 37;
        let values = (0..rows * columns).map(|i| {
            let value = f32::from(u16::try_from(i * 7919 % 1009).unwrap()) / 400.0 - 1.0;
            match i % columns {
                1 => 2048.0 + value,
                2 => 3.5,
                _ => value,
            }
        });
        Matrix::new(columns, values.collect()).unwrap()
    }

    struct Setup {
        features: Matrix,
        labels: Vec<u32>,
        weights: Vec<f64>,
        geometry: Geometry,
    }

    impl Setup {
        fn new(columns: usize, classes: u32, standardization: bool, fit_intercept: bool) -> Self {
            let features = features(columns);
            let rows = features.rows();
            let labels = (0..rows).map(|i| u32::try_from(i * i % 11).unwrap() % classes);
            let weights: Vec<f64> = (0..rows).map(|i| (i % 4) as f64 / 2.0).collect();
            let statistics = ColumnStatistics::new(&features, Some(&weights), 1).unwrap();
            let geometry = Geometry::new(&statistics, 0.1, fit_intercept, standardization, 0.25);
            Self {
                labels: labels.collect(),
                features,
                weights,
                geometry,
            }
        }

        fn objective(
            &self,
            family: Family,
            classes: usize,
            fit_intercept: bool,
        ) -> LogisticObjective<'_> {
            LogisticObjective {
                features: &self.features,
                label_indices: &self.labels,
                weights: Some(&self.weights),
                total_weight: self.weights.iter().sum(),
                family,
                outputs: family.outputs(classes),
                geometry: &self.geometry,
                fit_intercept,
                threads: 1,
            }
        }
    }

    fn point(dimension: usize, shift: usize) -> Vec<f64> {
        (0..dimension)
            .map(|i| ((i + shift) * 37 % 19) as f64 / 19.0 - 0.4)
            .collect()
    }

    #[test]
    fn gradient_is_that_of_finite_differences() {
        for (family, classes) in [
            (Family::Binomial, 2),
            (Family::Multinomial, 2),
            (Family::Multinomial, 4),
        ] {
            for (standardization, fit_intercept) in
                [(true, true), (false, true), (true, false), (false, false)]
            {
                let setup = Setup::new(6, classes, standardization, fit_intercept);
                let classes = usize::try_from(classes).unwrap();
                let mut objective = setup.objective(family, classes, fit_intercept);
                let centre = point(objective.dimension(), 0);
                let step = 1e-5;
                // One pass for the point and both neighbours in every direction.
                let mut columns = vec![centre.clone()];
                for direction in 0..centre.len() {
                    for sign in [1.0, -1.0] {
                        let mut column = centre.clone();
                        column[direction] += sign * step;
                        columns.push(column);
                    }
                }
                let found = objective.evaluate(&columns).unwrap();
                for (direction, slope) in found[0].gradient.iter().enumerate() {
                    let difference = found[1 + 2 * direction].loss - found[2 + 2 * direction].loss;
                    let expected = difference / (2.0 * step);
                    let name =
                        format!("{family} {classes} {standardization} {fit_intercept} {direction}");
                    assert!(
                        (slope - expected).abs() < 1e-8,
                        "{name}: {slope} is not {expected}"
                    );
                }
            }
        }
    }

    /// The formula of the module's doc, written down plainly.
    #[test]
    fn loss_is_the_formula() {
        let setup = Setup::new(5, 3, true, true);
        let mut objective = setup.objective(Family::Multinomial, 3, true);
        let column = point(objective.dimension(), 3);
        let found = objective.evaluate(std::slice::from_ref(&column)).unwrap();
        let beta = |class: usize, j: usize| column[class * 5 + j] * setup.geometry.scales[j];
        let mut expected = 0.0;
        for ((row, &label), weight) in setup.features.iter().zip(&setup.labels).zip(&setup.weights)
        {
            let z: Vec<f64> = (0..3)
                .map(|class| {
                    let centred = row
                        .iter()
                        .zip(&setup.geometry.centres)
                        .map(|(&x, c)| f64::from(x) - c);
                    column[15 + class]
                        + centred
                            .enumerate()
                            .map(|(j, x)| beta(class, j) * x)
                            .sum::<f64>()
                })
                .collect();
            let total: f64 = z.iter().map(|z| z.exp()).sum();
            expected += weight * (total.ln() - z[usize::try_from(label).unwrap()]);
        }
        expected /= setup.weights.iter().sum::<f64>();
        let statistics = ColumnStatistics::new(&setup.features, Some(&setup.weights), 1).unwrap();
        for class in 0..3 {
            for (j, deviation) in statistics.deviations.iter().enumerate() {
                expected += 0.1 / 2.0 * (deviation * beta(class, j)).powi(2);
            }
        }
        assert!(
            (found[0].loss - expected).abs() < 1e-12,
            "{} is not {expected}",
            found[0].loss
        );
    }

    #[test]
    fn a_column_is_worth_the_same_beside_others() {
        for columns in [3, 4, 7] {
            let setup = Setup::new(columns, 3, true, true);
            let mut objective = setup.objective(Family::Multinomial, 3, true);
            let points: Vec<Vec<f64>> = (0..3)
                .map(|shift| point(objective.dimension(), shift))
                .collect();
            let together = objective.evaluate(&points).unwrap();
            objective.threads = 3;
            for (column, expected) in points.iter().zip(&together) {
                let alone = objective.evaluate(std::slice::from_ref(column)).unwrap();
                assert_eq!(&alone[0], expected);
            }
        }
    }

    #[test]
    fn a_column_of_another_length_is_refused() {
        let setup = Setup::new(3, 2, true, true);
        let mut objective = setup.objective(Family::Binomial, 2, true);
        assert_eq!(
            objective.evaluate(&[vec![0.0; 3]]).unwrap_err().to_string(),
            "expected a column of 4 parameters, found 3"
        );
        assert!(objective.evaluate(&[]).unwrap().is_empty());
    }
}
