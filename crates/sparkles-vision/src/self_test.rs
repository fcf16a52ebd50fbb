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
        let squares: f64 = features.iter().map(|value| f64::from(*value).powi(2)).sum();
        Ok(Self {
            head: features.iter().copied().take(HEAD).collect(),
            norm: narrow(squares.sqrt()),
        })
    }

    /// The largest difference to another one, relative to the norm.
    pub fn difference(&self, other: &Self) -> f32 {
        if self.head.len() != other.head.len() {
            return f32::INFINITY;
        }
        let pairs = self.head.iter().zip(&other.head);
        let differences = pairs.map(|(ours, theirs)| (ours - theirs).abs());
        let largest = differences.fold((self.norm - other.norm).abs(), f32::max);
        largest / self.norm.abs().max(f32::MIN_POSITIVE)
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
