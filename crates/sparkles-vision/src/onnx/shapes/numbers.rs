//! Small values that are known before a graph runs: those that shapes are made of.

use super::{MOST_AXES, Told};
use crate::onnx::proto::Tensor;

/// The most numbers that are kept of one value.
pub(super) const MOST_NUMBERS: usize = 256;

/// `TensorProto.DataType` of the kinds that are read.
const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;

/// Numbers of a value, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    /// Whole numbers of 32 bits, which is what rten keeps for those of 64.
    Whole(Vec<i64>),
    /// 32-bit floats.
    Real(Vec<f32>),
}

impl Numbers {
    /// Whole numbers, unless one is too large or there are too many.
    pub(super) fn whole(numbers: Vec<i64>) -> Option<Self> {
        let fits = |number: &i64| i32::try_from(*number).is_ok();
        (numbers.len() <= MOST_NUMBERS && numbers.iter().all(fits)).then_some(Self::Whole(numbers))
    }

    /// The numbers of a small constant. Those beyond 32 bits become the nearest
    /// of 32 bits, as rten reads them: they stand for "to the end".
    pub(super) fn of(tensor: &Tensor, count: usize) -> Option<Self> {
        if count > MOST_NUMBERS {
            return None;
        }
        let clamp = |number: i64| number.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        let raw = &tensor.raw_data;
        let numbers = match tensor.data_type {
            INT64 if raw.is_empty() => {
                Self::Whole(tensor.int64_data.iter().copied().map(clamp).collect())
            }
            INT64 => {
                let numbers = raw.as_chunks().0.iter();
                Self::Whole(
                    numbers
                        .map(|bytes| clamp(i64::from_le_bytes(*bytes)))
                        .collect(),
                )
            }
            INT32 if raw.is_empty() => {
                Self::Whole(tensor.int32_data.iter().copied().map(i64::from).collect())
            }
            INT32 => {
                let numbers = raw.as_chunks().0.iter();
                Self::Whole(
                    numbers
                        .map(|bytes| i32::from_le_bytes(*bytes).into())
                        .collect(),
                )
            }
            FLOAT if raw.is_empty() => Self::Real(tensor.float_data.clone()),
            FLOAT => {
                let numbers = raw.as_chunks().0.iter();
                Self::Real(numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
            _ => return None,
        };
        (numbers.len() == count).then_some(numbers)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Whole(numbers) => numbers.len(),
            Self::Real(numbers) => numbers.len(),
        }
    }

    /// The numbers at some places.
    pub(super) fn pick(&self, places: &[usize]) -> Option<Self> {
        Some(match self {
            Self::Whole(numbers) => Self::Whole(
                places
                    .iter()
                    .map(|at| numbers.get(*at).copied())
                    .collect::<Option<_>>()?,
            ),
            Self::Real(numbers) => Self::Real(
                places
                    .iter()
                    .map(|at| numbers.get(*at).copied())
                    .collect::<Option<_>>()?,
            ),
        })
    }

    /// One behind the other.
    pub(super) fn join(parts: &[&Self]) -> Option<Self> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > MOST_NUMBERS {
            return None;
        }
        if parts.iter().all(|part| matches!(part, Self::Whole(_))) {
            let numbers = parts.iter().flat_map(|part| match part {
                Self::Whole(numbers) => numbers.as_slice(),
                Self::Real(_) => &[],
            });
            return Some(Self::Whole(numbers.copied().collect()));
        }
        if parts.iter().all(|part| matches!(part, Self::Real(_))) {
            let numbers = parts.iter().flat_map(|part| match part {
                Self::Real(numbers) => numbers.as_slice(),
                Self::Whole(_) => &[],
            });
            return Some(Self::Real(numbers.copied().collect()));
        }
        None
    }

    /// As numbers of another type, by `TensorProto.DataType`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast to a float rounds, one to a whole number cuts off, as the operator does"
    )]
    pub(super) fn cast(&self, data_type: i64) -> Option<Self> {
        match (self, data_type) {
            (Self::Whole(numbers), 1) => Some(Self::Real(
                numbers.iter().map(|number| *number as f32).collect(),
            )),
            (Self::Real(numbers), 6 | 7) => {
                Self::whole(numbers.iter().map(|number| *number as i64).collect())
            }
            (Self::Whole(_), 6 | 7) | (Self::Real(_), 1) => Some(self.clone()),
            _ => None,
        }
    }

    /// What an operator on one number makes.
    pub(super) fn map(&self, operator: &str) -> Option<Self> {
        Some(match (self, operator) {
            (Self::Whole(numbers), "Neg") => {
                return Self::whole(numbers.iter().map(|number| -number).collect());
            }
            (Self::Whole(numbers), "Abs") => {
                return Self::whole(numbers.iter().map(|number| number.abs()).collect());
            }
            (Self::Real(numbers), _) => {
                let act: fn(f32) -> f32 = match operator {
                    "Neg" => |x| -x,
                    "Abs" => f32::abs,
                    "Floor" => f32::floor,
                    "Ceil" => f32::ceil,
                    "Round" => f32::round_ties_even,
                    _ => return None,
                };
                Self::Real(numbers.iter().copied().map(act).collect())
            }
            _ => return None,
        })
    }

    /// What an operator on two numbers makes; a single one goes with each other.
    pub(super) fn combine(&self, other: &Self, operator: &str) -> Option<Self> {
        let length = match (self.len(), other.len()) {
            (a, b) if a == b => a,
            (1, b) => b,
            (a, 1) => a,
            _ => return None,
        };
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => {
                let act: fn(i64, i64) -> Option<i64> = match operator {
                    "Add" => i64::checked_add,
                    "Sub" => i64::checked_sub,
                    "Mul" => i64::checked_mul,
                    "Div" => i64::checked_div,
                    "Min" => |a, b| Some(a.min(b)),
                    "Max" => |a, b| Some(a.max(b)),
                    // Negative ones go by a setting of the node.
                    "Mod" => |a, b| (a >= 0 && b > 0).then(|| a % b),
                    "Equal" => |a, b| Some(i64::from(a == b)),
                    _ => return None,
                };
                let numbers = (0..length).map(|place| act(at(a, place)?, at(b, place)?));
                Self::whole(numbers.collect::<Option<_>>()?)
            }
            (Self::Real(a), Self::Real(b)) => {
                let act: fn(f32, f32) -> f32 = match operator {
                    "Add" => |a, b| a + b,
                    "Sub" => |a, b| a - b,
                    "Mul" => |a, b| a * b,
                    "Div" => |a, b| a / b,
                    _ => return None,
                };
                let numbers = (0..length).map(|place| Some(act(at(a, place)?, at(b, place)?)));
                Some(Self::Real(numbers.collect::<Option<_>>()?))
            }
            _ => None,
        }
    }
}

/// The number at a place, or the only one.
fn at<T: Copy>(numbers: &[T], place: usize) -> Option<T> {
    let is_single = numbers.len() == 1;
    numbers.get(if is_single { 0 } else { place }).copied()
}

/// A value before the graph runs: its shape, and its numbers where they are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Option<Numbers>,
}

impl Known {
    /// A value of that shape, checked: no axis has more than 2³¹ − 1 places, and
    /// the values can be counted.
    pub(super) fn new(shape: Vec<usize>) -> Told<Self> {
        if shape.len() > MOST_AXES {
            return Err("it has too many axes");
        }
        if shape.iter().any(|side| i32::try_from(*side).is_err()) {
            return Err("an axis is too long");
        }
        count(&shape)?;
        Ok(Self {
            shape,
            numbers: None,
        })
    }

    /// The same with numbers, which are dropped if they are not as many.
    pub(super) fn with(mut self, numbers: Option<Numbers>) -> Self {
        let expected = count(&self.shape).ok();
        self.numbers = numbers.filter(|numbers| Some(numbers.len()) == expected);
        self
    }

    /// How many values it has.
    pub(super) fn count(&self) -> usize {
        count(&self.shape).unwrap_or(usize::MAX)
    }
}

/// The values of a shape.
pub(super) fn count(shape: &[usize]) -> Told<usize> {
    let product = shape
        .iter()
        .try_fold(1usize, |count, side| count.checked_mul(*side));
    product.ok_or("its values cannot be counted")
}
