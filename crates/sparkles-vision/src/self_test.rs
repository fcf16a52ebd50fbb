//! What a backbone makes of an image that a formula gives.

use serde::Serialize;

use crate::backbone::Backbone;
use crate::card::Layout;
use crate::error::BackboneError;

/// Features that a self-test keeps.
const HEAD: usize = 16;
/// How far features may be off, relative to the norm of the whole vector: other
/// engines and instruction sets round otherwise.
const TOLERANCE: f32 = 1e-4;

/// The features of the synthetic image: a beginning, and the norm of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SelfTest {
    /// The first 16 features, or all where there are fewer.
    pub head: Vec<f32>,
    /// The Euclidean norm of all features.
    pub norm: f32,
}

impl SelfTest {
    /// What the backbone makes of the synthetic image. For channel c (0 red, 1
    /// green, 2 blue), row y and column x, already normalised, in radians:
    /// `0.9 sin(0.11 x + 0.7 c) cos(0.07 y − 0.3 c)`.
    pub fn run(backbone: &Backbone) -> Result<Self, BackboneError> {
        let features = backbone.session()?.features(&synthetic(backbone))?;
        let odd = features.iter().filter(|value| !value.is_finite()).count();
        if odd > 0 {
            return Err(BackboneError::NotFinite {
                odd,
                values: features.len(),
            });
        }
        let squares: f64 = features.iter().map(|value| f64::from(*value).powi(2)).sum();
        Ok(Self {
            head: features.iter().copied().take(HEAD).collect(),
            norm: narrow(squares.sqrt()),
        })
    }

    /// The largest difference to another one, relative to the norm; infinite where
    /// they cannot be compared.
    pub fn difference(&self, other: &Self) -> f32 {
        if self.head.len() != other.head.len() || !self.is_finite() || !other.is_finite() {
            return f32::INFINITY;
        }
        let pairs = self.head.iter().zip(&other.head);
        let differences = pairs.map(|(ours, theirs)| (ours - theirs).abs());
        let largest = differences.fold((self.norm - other.norm).abs(), f32::max);
        largest / self.norm.abs().max(f32::MIN_POSITIVE)
    }

    fn is_finite(&self) -> bool {
        self.norm.is_finite() && self.head.iter().all(|value| value.is_finite())
    }

    /// Whether another one is the same but for rounding.
    pub fn agrees(&self, other: &Self) -> bool {
        self.difference(other) <= TOLERANCE
    }
}

fn synthetic(backbone: &Backbone) -> Vec<f32> {
    let card = backbone.card();
    let value = |channel: u32, row: u32, column: u32| {
        let (c, y, x) = (f64::from(channel), f64::from(row), f64::from(column));
        narrow(0.9 * (0.11 * x + 0.7 * c).sin() * (0.07 * y - 0.3 * c).cos())
    };
    let mut tensor = Vec::new();
    match card.layout {
        Layout::ChannelsFirst => {
            for channel in 0..3 {
                for row in 0..card.height {
                    tensor.extend((0..card.width).map(|column| value(channel, row, column)));
                }
            }
        }
        Layout::ChannelsLast => {
            for row in 0..card.height {
                for column in 0..card.width {
                    tensor.extend((0..3).map(|channel| value(channel, row, column)));
                }
            }
        }
    }
    tensor
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what is wanted"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_never_agrees() {
        let test = |head: f32, norm: f32| SelfTest {
            head: vec![head, 1.0],
            norm,
        };
        let good = test(0.5, 3.0);
        assert!(good.agrees(&test(0.500_01, 3.000_01)));
        assert!(!good.agrees(&test(0.51, 3.0)));
        assert!(!good.agrees(&test(0.5, 3.1)));
        for odd in [f32::NAN, f32::INFINITY] {
            assert!(!good.agrees(&test(0.5, odd)) && !test(0.5, odd).agrees(&good));
            assert!(!good.agrees(&test(odd, 3.0)) && !test(odd, 3.0).agrees(&test(odd, 3.0)));
        }
    }
}
