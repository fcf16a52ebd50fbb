//! Rules of operators that move a window over maps, or give them other sides.

use super::Told;
use super::node::{Made, Operation, axis, side};
use super::numbers::{Known, count};

/// The most values under all windows of a pool: engines visit each of them.
const MOST_UNDER_WINDOWS: usize = 1 << 34;

/// How a window moves along one axis.
struct Step {
    stride: usize,
    dilation: usize,
    /// Places before and after, or none where the output's length is given.
    padding: Option<[usize; 2]>,
}

/// How a window moves along each of `axes` axes.
fn window(op: &Operation<'_>, axes: usize) -> Told<Vec<Step>> {
    let strides = op.sides("strides", axes, 1)?;
    let dilations = op.sides("dilations", axes, 1)?;
    let pads = op.sides("pads", 2 * axes, 0)?;
    let is_same = match op.text("auto_pad").unwrap_or("NOTSET") {
        "" | "NOTSET" => false,
        "VALID" if pads.iter().all(|pad| *pad == 0) => false,
        "SAME_UPPER" | "SAME_LOWER" => true,
        _ => return Err("its padding is unknown"),
    };
    if strides.iter().chain(&dilations).any(|step| *step == 0) {
        return Err("its window does not move");
    }
    let (before, after) = pads.split_at(axes);
    let pads = before.iter().zip(after).map(|(a, b)| [*a, *b]);
    Ok(strides
        .into_iter()
        .zip(dilations)
        .zip(pads)
        .map(|((stride, dilation), padding)| Step {
            stride,
            dilation,
            padding: (!is_same).then_some(padding),
        })
        .collect())
}

const TOO_LARGE: &str = "its window is too large";

impl Step {
    /// Places that a window of `kernel` values spans.
    fn span(&self, kernel: usize) -> Told<usize> {
        let before_last = kernel.checked_sub(1).ok_or("its window is empty")?;
        let span = before_last.checked_mul(self.dilation);
        span.and_then(|span| span.checked_add(1)).ok_or(TOO_LARGE)
    }

    /// Windows along an axis of `length` places.
    fn windows(&self, length: usize, kernel: usize, is_up: bool) -> Told<usize> {
        let span = self.span(kernel)?;
        let Some([before, after]) = self.padding else {
            return Ok(length.div_ceil(self.stride));
        };
        let padded = length.checked_add(before).ok_or(TOO_LARGE)?;
        let whole = padded.checked_add(after).ok_or(TOO_LARGE)?;
        let free = whole
            .checked_sub(span)
            .ok_or("its input is smaller than its window")?;
        if !is_up {
            return Ok(free / self.stride + 1);
        }
        let windows = free.div_ceil(self.stride) + 1;
        // The last one must begin on the input or before it.
        let last = (windows - 1).checked_mul(self.stride).ok_or(TOO_LARGE)?;
        Ok(if last >= padded { windows - 1 } else { windows })
    }
}

/// Images, channels and sides of maps.
fn maps(shape: &[usize]) -> Told<(usize, usize, &[usize])> {
    match shape {
        [images, channels, sides @ ..] if !sides.is_empty() => Ok((*images, *channels, sides)),
        _ => Err("its input holds no maps"),
    }
}

pub(super) fn convolution(op: &Operation<'_>) -> Told<Known> {
    let (images, channels, sides) = maps(op.shape(0)?)?;
    let (outputs, inputs, kernel) = maps(op.shape(1)?)?;
    if kernel.len() != sides.len() {
        return Err("its weights have other axes than its input");
    }
    let groups = side(op.int("group").unwrap_or(1))?;
    if inputs.checked_mul(groups) != Some(channels) {
        return Err("its weights are for another number of channels");
    }
    let mut shape = vec![images, outputs];
    let steps = window(op, sides.len())?;
    for ((length, kernel), step) in sides.iter().zip(kernel).zip(steps) {
        shape.push(step.windows(*length, *kernel, false)?);
    }
    Known::new(shape)
}

/// A transposed convolution. rten holds a product for each value of the kernel
/// and each place of the input besides.
pub(super) fn transposed_convolution(op: &Operation<'_>) -> Told<Made> {
    let (images, _, sides) = maps(op.shape(0)?)?;
    let (_, outputs, kernel) = maps(op.shape(1)?)?;
    if kernel.len() != sides.len() {
        return Err("its weights have other axes than its input");
    }
    if op.ints("output_shape").is_some() {
        return Err("its size is a setting");
    }
    let groups = side(op.int("group").unwrap_or(1))?;
    let added = op.sides("output_padding", sides.len(), 0)?;
    let channels = outputs.checked_mul(groups).ok_or(TOO_LARGE)?;
    let mut shape = vec![images, channels];
    let steps = window(op, sides.len())?;
    for (((length, kernel), added), step) in sides.iter().zip(kernel).zip(added).zip(steps) {
        let Some([before, after]) = step.padding else {
            shape.push(length.checked_mul(step.stride).ok_or(TOO_LARGE)?);
            continue;
        };
        let span = step.span(*kernel)?;
        let whole = length
            .checked_sub(1)
            .ok_or("its input is empty")?
            .checked_mul(step.stride)
            .and_then(|whole| whole.checked_add(span)?.checked_add(added))
            .ok_or(TOO_LARGE)?;
        let cut = before.checked_add(after).ok_or(TOO_LARGE)?;
        shape.push(
            whole
                .checked_sub(cut)
                .ok_or("its padding is larger than its output")?,
        );
    }
    let places = [count(kernel)?, outputs, count(sides)?];
    Ok(Made {
        values: vec![Known::new(shape)?],
        scratch: count(&places)?,
    })
}

pub(super) fn pool(op: &Operation<'_>) -> Told<Known> {
    let (images, channels, sides) = maps(op.shape(0)?)?;
    if op.output_count() > 1 {
        return Err("it also gives the places of the largest values");
    }
    let kernel = op.sides("kernel_shape", sides.len(), 0)?;
    let is_up = op.int("ceil_mode").unwrap_or(0) != 0;
    let mut shape = vec![images, channels];
    let steps = window(op, sides.len())?;
    for ((length, kernel), step) in sides.iter().zip(&kernel).zip(steps) {
        shape.push(step.windows(*length, *kernel, is_up)?);
    }
    let known = Known::new(shape)?;
    let visits = count(&kernel)?.checked_mul(known.count());
    if visits.is_none_or(|visits| visits > MOST_UNDER_WINDOWS) {
        return Err(TOO_LARGE);
    }
    Ok(known)
}

pub(super) fn global_pool(op: &Operation<'_>) -> Told<Known> {
    let (images, channels, sides) = maps(op.shape(0)?)?;
    let mut shape = vec![images, channels];
    shape.extend(sides.iter().map(|_| 1));
    Known::new(shape)
}

pub(super) fn pad(op: &Operation<'_>) -> Told<Known> {
    let input = op.shape(0)?;
    let pads = op.setting("pads", 1)?.ok_or("an input is missing")?;
    let axes = match op.numbers(3)? {
        Some(axes) => axes
            .iter()
            .map(|place| axis(*place, input.len()))
            .collect::<Told<Vec<_>>>()?,
        None => (0..input.len()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err("its padding has not two numbers for each axis");
    }
    let mut shape = input.to_vec();
    let (before, after) = pads.split_at(axes.len());
    for (place, (before, after)) in axes.into_iter().zip(before.iter().zip(after)) {
        let Some(length) = shape.get_mut(place) else {
            continue;
        };
        let padded = i64::try_from(*length)
            .ok()
            .and_then(|length| length.checked_add(*before)?.checked_add(*after))
            .ok_or(TOO_LARGE)?;
        *length = side(padded)?;
    }
    Known::new(shape)
}

/// Maps of other sides: by factors, or by the sides themselves.
pub(super) fn resize(op: &Operation<'_>) -> Told<Known> {
    let input = op.shape(0)?;
    if matches!(
        op.text("keep_aspect_ratio_policy"),
        Some("not_larger" | "not_smaller")
    ) {
        return Err("it keeps the ratio of its sides");
    }
    let is_old = op.operator() == "Upsample" || op.opset < 11;
    let (factors, lengths) = if is_old {
        (
            op.reals("scales")
                .map_or_else(|| op.floats(1), |f| Ok(Some(f)))?,
            None,
        )
    } else {
        (op.floats(2)?, op.numbers(3)?)
    };
    let factors = factors.filter(|factors| !factors.is_empty());
    let lengths = lengths.filter(|lengths| !lengths.is_empty());
    let axes = match op.ints("axes") {
        Some(axes) => axes
            .iter()
            .map(|place| axis(*place, input.len()))
            .collect::<Told<Vec<_>>>()?,
        None => (0..input.len()).collect(),
    };
    let made: Vec<usize> = match (factors, lengths) {
        (Some(factors), None) => {
            let sides = axes.iter().filter_map(|place| input.get(*place));
            if factors.len() != axes.len() {
                return Err("it has not one factor for each axis");
            }
            let made = sides.zip(factors).map(|(side, factor)| {
                let length = (*side as f32 * factor).floor();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is between 0 and 2^31"
                )]
                if (0.0..2_147_483_648.0).contains(&length) {
                    Ok(length as usize)
                } else {
                    Err("a factor is no number for it")
                }
            });
            made.collect::<Told<_>>()?
        }
        (None, Some(lengths)) => {
            if lengths.len() != axes.len() {
                return Err("it has not one length for each axis");
            }
            let made = lengths.iter().map(|length| side(*length));
            made.collect::<Told<_>>()?
        }
        (Some(_), Some(_)) => return Err("it has factors and lengths"),
        (None, None) => return Err("an input is missing"),
    };
    let mut shape = input.to_vec();
    for (place, made) in axes.into_iter().zip(made) {
        if let Some(length) = shape.get_mut(place) {
            *length = made;
        }
    }
    Known::new(shape)
}

pub(super) fn grid_sample(op: &Operation<'_>) -> Told<Known> {
    let (images, channels, _) = maps(op.shape(0)?)?;
    match op.shape(1)? {
        [_, sides @ .., _] => {
            let mut shape = vec![images, channels];
            shape.extend(sides);
            Known::new(shape)
        }
        _ => Err("its places have too few axes"),
    }
}
