//! L-BFGS: minimises a smooth objective, one pass over the data per step.
//!
//! Two-loop recursion and initial scaling after Nocedal and Wright, *Numerical
//! Optimization*, 2nd edition, algorithms 7.4 and 7.5.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::line_search::{LineSearch, Step};
use crate::{Evaluation, Objective};

/// Pairs of step and gradient change that shape the next direction, as in MLlib.
const CORRECTIONS: usize = 10;

/// Below this the objective counts as this, when `tol` is taken relative to it: an
/// objective that falls towards 0 (separable classes, no penalty) would never be done.
const SMALLEST_SCALE: f64 = 0.01;

/// A gradient that small, relative like `tol`, counts as 0 where `f64` can tell no
/// better.
const PRECISION_GRADIENT: f64 = 1e-6;

/// Iterations in a row that bring nothing before `f64` is taken to be used up, and
/// over which the fall of the loss is judged.
const PATIENCE: usize = 10;

/// The loss counts as settled when over [`PATIENCE`] iterations it fell by at most this
/// share of `tol`, relative to itself…
const SETTLED_LOSS: f64 = 1e-2;

/// … and the gradient is within this many times `tol`.
const SETTLED_GRADIENT: f64 = 100.0;

/// Settings of the optimiser.
#[derive(Debug, Clone, PartialEq)]
pub struct Lbfgs {
    /// Most iterations (accepted steps). Default 100.
    pub max_iter: usize,
    /// Done when the 2-norm of the gradient is at most `tol` × max(loss, 0.01), or
    /// when it is at most 100 times that and the loss has settled: it fell by at most
    /// `tol` / 100, relative, over ten iterations. Default 1e-6.
    pub tol: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            max_iter: 100,
            tol: 1e-6,
        }
    }
}

/// Why the optimiser stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// The gradient is within the tolerance: an optimum.
    Gradient,
    /// The loss has settled, and the gradient is nearly within the tolerance.
    Loss,
    /// Neither loss nor gradient falls any more in `f64`, and the gradient is small
    /// (1e-6): as good an optimum as the arithmetic gives, though `tol` asked for more.
    Precision,
    /// The iterations were used up.
    MaxIter,
    /// Neither loss nor gradient falls any more, and the gradient is not small.
    LineSearch,
}

impl StopReason {
    /// Whether what was found is an optimum.
    pub fn converged(self) -> bool {
        matches!(self, Self::Gradient | Self::Loss | Self::Precision)
    }
}

/// What the optimiser found.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The parameter vector.
    pub parameters: Vec<f64>,
    /// The loss at the start and after every iteration.
    pub history: Vec<f64>,
    /// Calls of the objective.
    pub evaluations: usize,
    /// 2-norm of the gradient at `parameters`.
    pub gradient_norm: f64,
    /// Why it ended.
    pub stop: StopReason,
}

impl Minimum {
    /// Accepted steps.
    pub fn iterations(&self) -> usize {
        self.history.len().saturating_sub(1)
    }

    /// By how much the loss fell over the last iterations.
    fn recent_fall(&self) -> f64 {
        let before = self.history.iter().rev().nth(PATIENCE);
        match (before, self.history.last()) {
            (Some(before), Some(now)) => before - now,
            _ => f64::INFINITY,
        }
    }
}

impl Lbfgs {
    /// Walks downhill from `start`, whose length is the objective's dimension.
    ///
    /// Steps meet the strong Wolfe conditions. The result depends on the bits of the
    /// objective alone. A loss that is NaN or infinite counts as too far; where the
    /// start itself is such a point, the search ends there with
    /// [`StopReason::LineSearch`].
    pub fn minimize<O: Objective>(
        &self,
        objective: &mut O,
        start: Vec<f64>,
    ) -> Result<Minimum, O::Error> {
        let evaluation = evaluate(objective, &start)?;
        let mut found = Minimum {
            parameters: start,
            history: vec![evaluation.loss],
            evaluations: 1,
            gradient_norm: norm(&evaluation.gradient),
            stop: StopReason::MaxIter,
        };
        let mut here = evaluation;
        let mut curvature = Curvature::default();
        let mut progress = Progress::new(&found);
        loop {
            let scale = here.loss.max(SMALLEST_SCALE);
            if found.gradient_norm <= self.tol * scale {
                found.stop = StopReason::Gradient;
                return Ok(found);
            }
            let settled = found.recent_fall() <= SETTLED_LOSS * self.tol * scale;
            if settled && found.gradient_norm <= SETTLED_GRADIENT * self.tol * scale {
                found.stop = StopReason::Loss;
                return Ok(found);
            }
            if found.iterations() >= self.max_iter {
                return Ok(found);
            }
            if progress.idle >= PATIENCE {
                found.stop = exhausted(found.gradient_norm, scale);
                return Ok(found);
            }
            let direction = curvature.direction(&here.gradient);
            let slope = dot(&direction, &here.gradient);
            let first = if curvature.pairs.is_empty() {
                1.0 / found.gradient_norm.max(1.0)
            } else {
                1.0
            };
            let mut search = LineSearch::new(here.loss, slope, first);
            let accepted = loop {
                let Some(length) = search.next_length() else {
                    break None;
                };
                let parameters = along(&found.parameters, &direction, length);
                let there = evaluate(objective, &parameters)?;
                found.evaluations += 1;
                if search.report(there.loss, dot(&direction, &there.gradient)) == Step::Accepted {
                    break Some((parameters, there));
                }
            };
            if let Some((parameters, there)) = accepted {
                curvature.learn(
                    difference(&parameters, &found.parameters),
                    difference(&there.gradient, &here.gradient),
                );
                found.parameters = parameters;
                found.history.push(there.loss);
                found.gradient_norm = norm(&there.gradient);
                progress.note(there.loss, found.gradient_norm);
                here = there;
            } else if curvature.pairs.is_empty() {
                found.stop = exhausted(found.gradient_norm, scale);
                return Ok(found);
            } else {
                // The remembered curvature misleads: begin again with the gradient.
                curvature.pairs.clear();
            }
        }
    }
}

/// Why a search ends that finds nothing better.
fn exhausted(gradient_norm: f64, scale: f64) -> StopReason {
    if gradient_norm <= PRECISION_GRADIENT * scale {
        StopReason::Precision
    } else {
        StopReason::LineSearch
    }
}

/// Counts iterations in which neither the loss fell by more than rounding nor the
/// gradient by half.
struct Progress {
    loss: f64,
    gradient_norm: f64,
    idle: usize,
}

impl Progress {
    fn new(start: &Minimum) -> Self {
        Self {
            loss: start.history.first().copied().unwrap_or(f64::NAN),
            gradient_norm: start.gradient_norm,
            idle: 0,
        }
    }

    fn note(&mut self, loss: f64, gradient_norm: f64) {
        let falls = loss < self.loss - f64::EPSILON * self.loss.abs();
        let flattens = gradient_norm < 0.5 * self.gradient_norm;
        self.idle = if falls || flattens { 0 } else { self.idle + 1 };
        self.loss = self.loss.min(loss);
        if flattens {
            self.gradient_norm = gradient_norm;
        }
    }
}

/// One pass for one column. An objective that returns nothing is no number.
fn evaluate<O: Objective>(objective: &mut O, column: &[f64]) -> Result<Evaluation, O::Error> {
    let mut evaluations = objective.evaluate(&[column.to_vec()])?;
    Ok(evaluations.pop().unwrap_or_else(|| Evaluation {
        loss: f64::NAN,
        gradient: vec![0.0; column.len()],
    }))
}

/// A step and the change of the gradient over it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// 1 / (step · change)
    inverse: f64,
}

#[derive(Default)]
struct Curvature {
    pairs: VecDeque<Pair>,
}

impl Curvature {
    fn learn(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let product = dot(&step, &change);
        // The Wolfe conditions make it positive, but for rounding.
        if product <= f64::EPSILON * dot(&change, &change) {
            return;
        }
        if self.pairs.len() == CORRECTIONS {
            self.pairs.pop_front();
        }
        self.pairs.push_back(Pair {
            step,
            change,
            inverse: 1.0 / product,
        });
    }

    /// −H · gradient, with H the inverse Hessian as the pairs show it.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let share = pair.inverse * dot(&pair.step, &direction);
            add_multiple(&mut direction, -share, &pair.change);
            shares.push(share);
        }
        if let Some(newest) = self.pairs.back() {
            let scale = 1.0 / (newest.inverse * dot(&newest.change, &newest.change));
            for value in &mut direction {
                *value *= scale;
            }
        }
        for (pair, share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let rest = share - pair.inverse * dot(&pair.change, &direction);
            add_multiple(&mut direction, rest, &pair.step);
        }
        direction
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn add_multiple(to: &mut [f64], factor: f64, of: &[f64]) {
    for (to, of) in to.iter_mut().zip(of) {
        *to += factor * of;
    }
}

fn along(from: &[f64], direction: &[f64], length: f64) -> Vec<f64> {
    let mut point = from.to_vec();
    add_multiple(&mut point, length, direction);
    point
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    struct Function<F>(usize, F);

    impl<F: Fn(&[f64]) -> (f64, Vec<f64>)> Objective for Function<F> {
        type Error = Infallible;

        fn dimension(&self) -> usize {
            self.0
        }

        fn evaluate(&mut self, columns: &[Vec<f64>]) -> Result<Vec<Evaluation>, Infallible> {
            Ok(columns
                .iter()
                .map(|column| {
                    let (loss, gradient) = self.1(column);
                    Evaluation { loss, gradient }
                })
                .collect())
        }
    }

    fn rosenbrock(p: &[f64]) -> (f64, Vec<f64>) {
        let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
        let gradient = vec![-2.0 * a - 400.0 * p[0] * b, 200.0 * b];
        (a * a + 100.0 * b * b, gradient)
    }

    #[test]
    fn finds_the_bottom_of_a_bent_valley() {
        let tight = Lbfgs {
            max_iter: 200,
            tol: 1e-9,
        };
        let mut function = Function(2, rosenbrock);
        assert_eq!(function.dimension(), 2);
        let found = tight.minimize(&mut function, vec![-1.2, 1.0]).unwrap();
        assert!(found.stop.converged(), "{found:?}");
        assert!((found.parameters[0] - 1.0).abs() < 1e-8);
        assert!((found.parameters[1] - 1.0).abs() < 1e-8);
        assert!(found.iterations() < 50, "{}", found.iterations());
        assert!(found.history.windows(2).all(|pair| pair[1] <= pair[0]));
    }

    #[test]
    fn goes_to_the_limit_of_precision_and_says_so() {
        let quadratic = |p: &[f64]| {
            let terms = p.iter().zip(1_i32..).map(|(p, k)| (p - 0.3, f64::from(k)));
            let loss = 1.0 + terms.clone().map(|(p, k)| k * p * p).sum::<f64>();
            (loss, terms.map(|(p, k)| 2.0 * k * p).collect())
        };
        let none = Lbfgs {
            max_iter: 500,
            tol: 0.0,
        };
        let found = none
            .minimize(&mut Function(30, quadratic), vec![1.0; 30])
            .unwrap();
        assert!(found.stop.converged(), "{found:?}");
        assert!(found.gradient_norm < 1e-12, "{}", found.gradient_norm);
    }

    #[test]
    fn stops_are_told_apart() {
        let falling = |p: &[f64]| (-p[0], vec![-1.0]);
        let no_number = |_: &[f64]| (f64::NAN, vec![1.0]);
        let short = Lbfgs {
            max_iter: 3,
            tol: 1e-6,
        };
        let valley = short
            .minimize(&mut Function(2, rosenbrock), vec![-1.2, 1.0])
            .unwrap();
        assert_eq!((valley.stop, valley.iterations()), (StopReason::MaxIter, 3));
        let endless = short
            .minimize(&mut Function(1, falling), vec![0.0])
            .unwrap();
        assert_eq!(
            (endless.stop, endless.iterations()),
            (StopReason::LineSearch, 0)
        );
        let nowhere = short
            .minimize(&mut Function(1, no_number), vec![0.0])
            .unwrap();
        assert_eq!(
            (nowhere.stop, nowhere.iterations()),
            (StopReason::LineSearch, 0)
        );
        let none = Lbfgs {
            max_iter: 0,
            tol: 1e-6,
        };
        let start = none
            .minimize(&mut Function(2, rosenbrock), vec![0.0, 0.0])
            .unwrap();
        assert_eq!((start.evaluations, start.iterations()), (1, 0));
    }
}
