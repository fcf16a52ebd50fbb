//! How far to go along a direction: strong Wolfe conditions, one evaluation a trial.
//!
//! With φ(t) the loss at length t, a length is accepted where
//! φ(t) ≤ φ(0) + 10⁻⁴ t φ′(0) (+ rounding) and |φ′(t)| ≤ 0.9 |φ′(0)|
//! (Nocedal and Wright, *Numerical Optimization*, 2nd edition, 3.7). The search keeps
//! a bracket: `low` went down but not far enough, `high` went too far.

/// Least decrease, as a share of what the slope at 0 promises.
const DECREASE: f64 = 1e-4;
/// Largest slope that is left, as a share of the slope at 0.
const FLATTENING: f64 = 0.9;
/// Rise that counts as rounding, as a share of the loss. A sum over many rows is good
/// to some 1e-15; without this allowance the search fails once the decrease that is
/// left drowns in it, long before the gradient is as small as it can be.
const ROUNDING: f64 = 1e-14;
/// Trials before giving up.
const TRIALS: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Accepted,
    TryNext,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    length: f64,
    loss: f64,
    slope: f64,
}

#[derive(Debug)]
pub(crate) struct LineSearch {
    start: Point,
    low: Point,
    high: Option<Point>,
    next: Option<f64>,
    trials: usize,
}

impl LineSearch {
    /// `slope` is φ′(0), `first` the length to try first. A slope that does not lead
    /// down leaves nothing to try.
    pub(crate) fn new(loss: f64, slope: f64, first: f64) -> Self {
        let start = Point {
            length: 0.0,
            loss,
            slope,
        };
        let downhill = slope < 0.0 && slope.is_finite() && loss.is_finite();
        Self {
            start,
            low: start,
            high: None,
            next: downhill.then_some(first),
            trials: 0,
        }
    }

    /// The length to evaluate next; `None` where nothing promises to be accepted.
    pub(crate) fn next_length(&self) -> Option<f64> {
        self.next
    }

    /// Takes in φ and φ′ at the length asked for.
    pub(crate) fn report(&mut self, loss: f64, slope: f64) -> Step {
        let Some(length) = self.next else {
            return Step::TryNext;
        };
        self.trials += 1;
        let point = Point {
            length,
            loss,
            slope,
        };
        let allowed = self.start.loss
            + DECREASE * length * self.start.slope
            + ROUNDING * self.start.loss.abs();
        let is_number = loss.is_finite() && slope.is_finite();
        if !is_number || loss > allowed || slope > -FLATTENING * self.start.slope {
            self.high = Some(point);
        } else if slope < FLATTENING * self.start.slope {
            self.low = point;
        } else {
            return Step::Accepted;
        }
        self.next = if self.trials < TRIALS {
            self.choose()
        } else {
            None
        };
        Step::TryNext
    }

    fn choose(&self) -> Option<f64> {
        let low = self.low;
        let Some(high) = self.high else {
            // Still going down: further out, by what the slopes say, 2 to 10 times.
            let steepening = self.start.slope - low.slope;
            let guess = low.length * self.start.slope / steepening;
            let guess = if guess > 0.0 { guess } else { f64::MAX };
            return Some(guess.clamp(2.0 * low.length, 10.0 * low.length));
        };
        let width = high.length - low.length;
        if width <= f64::EPSILON * high.length {
            return None;
        }
        let is_number = high.loss.is_finite() && high.slope.is_finite();
        let guess = cubic_minimum(low, high).unwrap_or(if is_number { 0.5 } else { 0.1 });
        Some(low.length + guess.clamp(0.1, 0.9) * width)
    }
}

/// Where between `low` (0) and `high` (1) the cubic through both is lowest
/// (Nocedal and Wright, 3.59). None where it has no minimum or `high` is no number.
fn cubic_minimum(low: Point, high: Point) -> Option<f64> {
    let width = high.length - low.length;
    let (low_slope, high_slope) = (low.slope * width, high.slope * width);
    let a = low_slope + high_slope - 3.0 * (high.loss - low.loss);
    let b = (a * a - low_slope * high_slope).sqrt();
    let share = 1.0 - (high_slope + b - a) / (high_slope - low_slope + 2.0 * b);
    share.is_finite().then_some(share)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    /// Walks φ(t); returns the accepted length and the trials.
    fn walk(phi: impl Fn(f64) -> (f64, f64), first: f64) -> Option<(f64, usize)> {
        let (loss, slope) = phi(0.0);
        let mut search = LineSearch::new(loss, slope, first);
        while let Some(length) = search.next_length() {
            let (loss, slope) = phi(length);
            if search.report(loss, slope) == Step::Accepted {
                return Some((length, search.trials));
            }
        }
        None
    }

    #[test]
    fn accepted_lengths_meet_the_wolfe_conditions() {
        type Phi = fn(f64) -> (f64, f64);
        let functions: [(&str, Phi); 4] = [
            ("parabola", |t| ((t - 5.0).powi(2), 2.0 * (t - 5.0))),
            ("quartic", |t| ((t - 1.0).powi(4), 4.0 * (t - 1.0).powi(3))),
            ("flat then steep", |t| {
                (-t / (t * t + 2.0), (t * t - 2.0) / (t * t + 2.0).powi(2))
            }),
            ("wall", |t| {
                if t < 3.0 {
                    (-t - (3.0 - t).ln(), -1.0 + 1.0 / (3.0 - t))
                } else {
                    (f64::NAN, f64::NAN)
                }
            }),
        ];
        for (name, phi) in functions {
            for first in [1e-6, 0.1, 1.0, 4.0, 1e3, 1e8] {
                let (length, trials) = walk(phi, first).unwrap();
                let ((loss0, slope0), (loss, slope)) = (phi(0.0), phi(length));
                assert!(
                    loss <= loss0 + DECREASE * length * slope0,
                    "{name} from {first}"
                );
                assert!(
                    slope.abs() <= FLATTENING * slope0.abs(),
                    "{name} from {first}"
                );
                assert!(trials < 25, "{name} from {first}: {trials} trials");
            }
        }
    }

    #[test]
    fn uphill_is_not_tried() {
        assert!(walk(|t| (t, 1.0), 1.0).is_none());
        assert!(walk(|_| (f64::NAN, -1.0), 1.0).is_none());
        assert!(walk(|_| (f64::NAN, f64::NAN), 1.0).is_none());
    }

    #[test]
    fn endless_descent_is_given_up() {
        assert!(walk(|t| (-t, -1.0), 1.0).is_none());
    }
}
