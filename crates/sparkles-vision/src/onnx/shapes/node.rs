//! One operation with its settings and what is known of its inputs.

use super::numbers::{Known, Numbers};
use super::{Told, is_standard, rules};
use crate::onnx::proto::{Attribute, Node, Tensor};

/// A node before it runs.
pub(super) struct Operation<'a> {
    node: &'a Node,
    /// The version of the standard operators.
    pub(super) opset: i64,
    inputs: Vec<Option<&'a Known>>,
}

/// What a node makes.
pub(super) struct Made {
    /// Its outputs, in order.
    pub(super) values: Vec<Known>,
    /// Values of buffers that it needs besides.
    pub(super) scratch: usize,
}

impl From<Known> for Made {
    fn from(value: Known) -> Self {
        vec![value].into()
    }
}

impl From<Vec<Known>> for Made {
    fn from(values: Vec<Known>) -> Self {
        Self { values, scratch: 0 }
    }
}

const DATA: &str = "its size depends on what is in the image";

impl<'a> Operation<'a> {
    pub(super) fn new(node: &'a Node, opset: i64, inputs: Vec<Option<&'a Known>>) -> Told<Self> {
        for (at, attribute) in node.attribute.iter().enumerate() {
            let mut before = node.attribute.iter().take(at);
            // Which of two counts is the engine's choice.
            if before.any(|other| other.name == attribute.name) {
                return Err("it has a setting twice");
            }
            if attribute.g.is_some() || !attribute.graphs.is_empty() {
                return Err("it has a graph inside it, whose size shows only when it runs");
            }
        }
        Ok(Self {
            node,
            opset,
            inputs,
        })
    }

    pub(super) fn infer(&self) -> Told<Made> {
        if !is_standard(&self.node.domain) {
            return Err("it is no standard operator");
        }
        rules::infer(self)
    }

    /// What it is called.
    pub(super) fn operator(&self) -> &'a str {
        &self.node.op_type
    }

    /// How many outputs the graph uses.
    pub(super) fn output_count(&self) -> usize {
        self.node.output.len()
    }

    /// All inputs that are there.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &'a Known> {
        self.inputs.iter().copied().flatten()
    }

    /// An input, if it is there.
    pub(super) fn get(&self, at: usize) -> Option<&'a Known> {
        self.inputs.get(at).copied().flatten()
    }

    /// An input.
    pub(super) fn input(&self, at: usize) -> Told<&'a Known> {
        self.get(at).ok_or("an input is missing")
    }

    /// The shape of an input.
    pub(super) fn shape(&self, at: usize) -> Told<&'a [usize]> {
        Ok(&self.input(at)?.shape)
    }

    /// The whole numbers of an input, if it is there.
    pub(super) fn numbers(&self, at: usize) -> Told<Option<&'a [i64]>> {
        match self.get(at) {
            None => Ok(None),
            Some(known) => match &known.numbers {
                Some(Numbers::Whole(numbers)) => Ok(Some(numbers)),
                _ => Err(DATA),
            },
        }
    }

    /// The whole numbers of an input.
    pub(super) fn required(&self, at: usize) -> Told<&'a [i64]> {
        self.numbers(at)?.ok_or("an input is missing")
    }

    /// The 32-bit floats of an input, if it is there.
    pub(super) fn floats(&self, at: usize) -> Told<Option<&'a [f32]>> {
        match self.get(at) {
            None => Ok(None),
            Some(known) => match &known.numbers {
                Some(Numbers::Real(numbers)) => Ok(Some(numbers)),
                // An empty constant may be of any type.
                Some(numbers) if numbers.len() == 0 => Ok(None),
                _ => Err(DATA),
            },
        }
    }

    /// Numbers that are a setting in some versions and an input in others.
    pub(super) fn setting(&self, name: &str, at: usize) -> Told<Option<&'a [i64]>> {
        match (self.ints(name), self.get(at)) {
            (Some(_), Some(_)) => Err("it has a setting twice"),
            (Some(numbers), None) => Ok(Some(numbers)),
            (None, _) => self.numbers(at),
        }
    }

    fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        let mut attributes = self.node.attribute.iter();
        attributes.find(|attribute| attribute.name == name)
    }

    /// A setting: a number.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|attribute| attribute.i)
    }

    /// A setting: numbers.
    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name)
            .map(|attribute| attribute.ints.as_slice())
    }

    /// A setting: 32-bit floats.
    pub(super) fn reals(&self, name: &str) -> Option<&'a [f32]> {
        self.attribute(name)
            .map(|attribute| attribute.floats.as_slice())
    }

    /// A setting: one 32-bit float.
    pub(super) fn real(&self, name: &str) -> Option<f32> {
        self.attribute(name).map(|attribute| attribute.f)
    }

    /// A setting: a constant.
    pub(super) fn tensor(&self, name: &str) -> Option<&'a Tensor> {
        self.attribute(name)?.t.as_deref()
    }

    /// A setting: a text.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(&self.attribute(name)?.s).ok()
    }

    /// A setting: one length for each of `axes` axes, `default` where it is left out.
    pub(super) fn sides(&self, name: &str, axes: usize, default: usize) -> Told<Vec<usize>> {
        let Some(numbers) = self.ints(name).filter(|numbers| !numbers.is_empty()) else {
            return Ok(vec![default; axes]);
        };
        if numbers.len() != axes {
            return Err("a setting has not one number for each axis");
        }
        numbers.iter().map(|number| side(*number)).collect()
    }
}

/// A length: at least 0.
pub(super) fn side(number: i64) -> Told<usize> {
    usize::try_from(number).map_err(|_| "a length is negative")
}

/// The place of an axis, which is counted from the end where it is negative.
pub(super) fn axis(axis: i64, axes: usize) -> Told<usize> {
    let count = i64::try_from(axes).unwrap_or(i64::MAX);
    let place = if axis < 0 {
        axis.saturating_add(count)
    } else {
        axis
    };
    usize::try_from(place)
        .ok()
        .filter(|place| *place < axes)
        .ok_or("it names an axis that its input does not have")
}
