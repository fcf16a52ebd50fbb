//! Rules of operators that lay values out anew, or take some of them.

use super::Told;
use super::node::{Operation, axis, side};
use super::numbers::{Known, MOST_NUMBERS, Numbers, count};
use super::rules::{broadcast, steps};

const UNEQUAL: &str = "its output has another number of values than its input";

/// Whole numbers for a shape.
fn sides(numbers: &[i64]) -> Told<Vec<usize>> {
    numbers.iter().map(|number| side(*number)).collect()
}

/// The places that an input's values come from, for each value of a small output:
/// `place` gives an index along each axis of the input.
fn picked(
    input: &Known,
    shape: &[usize],
    place: impl Fn(&[usize]) -> Option<Vec<usize>>,
) -> Option<Numbers> {
    let numbers = input.numbers.as_ref()?;
    let total = count(shape).ok().filter(|total| *total <= MOST_NUMBERS)?;
    let mut places = Vec::with_capacity(total);
    for at in 0..total {
        let mut rest = at;
        let mut index = vec![0; shape.len()];
        for (index, side) in index.iter_mut().zip(shape).rev() {
            *index = rest % (*side).max(1);
            rest /= (*side).max(1);
        }
        let index = place(&index)?;
        let along = index.iter().zip(&input.shape);
        places.push(along.fold(0, |sum, (index, side)| sum * side + index));
    }
    numbers.pick(&places)
}

pub(super) fn shape(op: &Operation<'_>) -> Told<Known> {
    let input = op.shape(0)?;
    let length = i64::try_from(input.len()).unwrap_or(i64::MAX);
    let place = |number: i64| {
        let number = if number < 0 {
            number.saturating_add(length)
        } else {
            number
        };
        usize::try_from(number.clamp(0, length)).unwrap_or(0)
    };
    let start = place(op.int("start").unwrap_or(0));
    let end = place(op.int("end").unwrap_or(length));
    let sides = input.get(start..end).unwrap_or_default();
    let numbers = sides.iter().map(|side| i64::try_from(*side).ok());
    let numbers = numbers.collect::<Option<_>>().and_then(Numbers::whole);
    Ok(Known::new(vec![sides.len()])?.with(numbers))
}

pub(super) fn reshape(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let asked = op.setting("shape", 1)?.ok_or("an input is missing")?;
    let keeps_zero = op.int("allowzero").unwrap_or(0) != 0;
    let mut open = None;
    let mut shape = Vec::with_capacity(asked.len());
    for (place, number) in asked.iter().enumerate() {
        shape.push(match number {
            -1 if open.is_some() => return Err("two of its axes are open"),
            -1 => {
                open = Some(place);
                1
            }
            0 if !keeps_zero => *input.shape.get(place).ok_or(UNEQUAL)?,
            number => side(*number)?,
        });
    }
    let (total, known) = (input.count(), count(&shape)?);
    if let Some(length) = open.and_then(|place| shape.get_mut(place)) {
        *length = total.checked_div(known).unwrap_or(0);
    }
    if count(&shape)? != total {
        return Err(UNEQUAL);
    }
    Ok(Known::new(shape)?.with(input.numbers.clone()))
}

pub(super) fn flatten(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let axes = input.shape.len();
    let number = op.int("axis").unwrap_or(1);
    let place = if usize::try_from(number) == Ok(axes) {
        axes
    } else {
        axis(number, axes)?
    };
    let (before, after) = input.shape.split_at_checked(place).ok_or(UNEQUAL)?;
    Ok(Known::new(vec![count(before)?, count(after)?])?.with(input.numbers.clone()))
}

pub(super) fn squeeze(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let places = if let Some(axes) = op.setting("axes", 1)? {
        axes.iter()
            .map(|place| axis(*place, input.shape.len()))
            .collect::<Told<Vec<_>>>()?
    } else {
        let sides = input.shape.iter().enumerate();
        let single = sides.filter(|(_, side)| **side == 1);
        single.map(|(place, _)| place).collect()
    };
    let kept = input.shape.iter().enumerate();
    let kept = kept.filter(|(place, _)| !places.contains(place));
    let shape: Vec<usize> = kept.map(|(_, side)| *side).collect();
    if count(&shape)? != input.count() {
        return Err("an axis that it removes is longer than 1");
    }
    Ok(Known::new(shape)?.with(input.numbers.clone()))
}

pub(super) fn unsqueeze(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let axes = op.setting("axes", 1)?.ok_or("an input is missing")?;
    let total = input.shape.len() + axes.len();
    if total > super::MOST_AXES {
        return Err("it has too many axes");
    }
    let places = axes.iter().map(|place| axis(*place, total));
    let mut places = places.collect::<Told<Vec<_>>>()?;
    places.sort_unstable();
    places.dedup();
    if places.len() != axes.len() {
        return Err("it names an axis twice");
    }
    let mut rest = input.shape.iter();
    let shape = (0..total).map(|place| {
        if places.contains(&place) {
            Some(1)
        } else {
            rest.next().copied()
        }
    });
    let shape = shape.collect::<Option<Vec<_>>>().ok_or(UNEQUAL)?;
    Ok(Known::new(shape)?.with(input.numbers.clone()))
}

pub(super) fn transpose(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let axes = input.shape.len();
    let order = match op.ints("perm") {
        Some(order) => sides(order)?,
        None => (0..axes).rev().collect(),
    };
    if order.len() != axes || !(0..axes).all(|place| order.contains(&place)) {
        return Err("its order does not name each axis");
    }
    let shape = order.iter().filter_map(|place| input.shape.get(*place));
    let shape: Vec<usize> = shape.copied().collect();
    let numbers = picked(input, &shape, |index| {
        let mut from = vec![0; axes];
        for (place, index) in order.iter().zip(index) {
            *from.get_mut(*place)? = *index;
        }
        Some(from)
    });
    Ok(Known::new(shape)?.with(numbers))
}

pub(super) fn expand(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let asked = sides(op.required(1)?)?;
    let shape = broadcast(&input.shape, &asked)?;
    // One number over and over.
    let numbers = match (&input.numbers, count(&shape)?) {
        (Some(numbers), count) if numbers.len() == 1 && count <= MOST_NUMBERS => {
            numbers.pick(&vec![0; count])
        }
        (Some(numbers), _) if shape == input.shape => Some(numbers.clone()),
        _ => None,
    };
    Ok(Known::new(shape)?.with(numbers))
}

pub(super) fn tile(op: &Operation<'_>) -> Told<Known> {
    let input = op.shape(0)?;
    let times = sides(op.required(1)?)?;
    if times.len() != input.len() {
        return Err("it has not one number for each axis");
    }
    let shape = input
        .iter()
        .zip(times)
        .map(|(side, times)| side.checked_mul(times).ok_or("an axis is too long"));
    Known::new(shape.collect::<Told<_>>()?)
}

pub(super) fn concatenate(op: &Operation<'_>) -> Told<Known> {
    let first = op.input(0)?;
    let place = axis(op.int("axis").unwrap_or(0), first.shape.len())?;
    let mut shape = first.shape.clone();
    let mut length = 0usize;
    let mut numbers = Some(Vec::new());
    for input in op.inputs() {
        let along = input.shape.get(place).copied().unwrap_or(0);
        length = length.checked_add(along).ok_or("an axis is too long")?;
        let sides = input.shape.iter().zip(&shape).enumerate();
        let mut others = sides.filter(|(at, _)| *at != place);
        if input.shape.len() != shape.len() || others.any(|(_, (a, b))| a != b) {
            return Err("shapes of its inputs do not go together");
        }
        match (&mut numbers, &input.numbers) {
            (Some(parts), Some(part)) => parts.push(part),
            _ => numbers = None,
        }
    }
    if let Some(along) = shape.get_mut(place) {
        *along = length;
    }
    let is_row = shape.len() == 1;
    let numbers = numbers.filter(|_| is_row);
    Ok(Known::new(shape)?.with(numbers.and_then(|parts| Numbers::join(&parts))))
}

pub(super) fn split(op: &Operation<'_>) -> Told<Vec<Known>> {
    let input = op.input(0)?;
    let place = axis(op.int("axis").unwrap_or(0), input.shape.len())?;
    let length = input.shape.get(place).copied().unwrap_or(0);
    let parts = op.output_count();
    let lengths = if let Some(lengths) = op.setting("split", 1)? {
        sides(lengths)?
    } else {
        // The last one may be shorter.
        let each = length.div_ceil(parts.max(1));
        let mut left = length;
        let lengths = (0..parts).map(|_| {
            let part = each.min(left);
            left -= part;
            part
        });
        lengths.collect()
    };
    if lengths.len() != parts
        || lengths
            .iter()
            .try_fold(0usize, |sum, part| sum.checked_add(*part))
            != Some(length)
    {
        return Err("its parts are not as long as its input");
    }
    let mut start = 0;
    let mut made = Vec::with_capacity(parts);
    for length in lengths {
        let mut shape = input.shape.clone();
        if let Some(along) = shape.get_mut(place) {
            *along = length;
        }
        let numbers = picked(input, &shape, |index| {
            let mut from = index.to_vec();
            *from.get_mut(place)? += start;
            Some(from)
        });
        start += length;
        made.push(Known::new(shape)?.with(numbers));
    }
    Ok(made)
}

pub(super) fn slice(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let missing = "an input is missing";
    let starts = op.setting("starts", 1)?.ok_or(missing)?;
    let ends = op.setting("ends", 2)?.ok_or(missing)?;
    let axes = op.setting("axes", 3)?;
    let every = op.numbers(4)?;
    let count = starts.len();
    let is_odd = |numbers: Option<&[i64]>| numbers.is_some_and(|numbers| numbers.len() != count);
    if ends.len() != count || is_odd(axes) || is_odd(every) {
        return Err("it has not one number for each axis");
    }
    let mut shape = input.shape.clone();
    // First place and step of each axis.
    let mut ways: Vec<(i64, i64)> = vec![(0, 1); shape.len()];
    for (at, (start, end)) in starts.iter().zip(ends).enumerate() {
        let place = match axes {
            Some(axes) => axis(*axes.get(at).ok_or(missing)?, input.shape.len())?,
            None => at,
        };
        let step = every.and_then(|every| every.get(at)).copied().unwrap_or(1);
        let (Some(side), Some(way)) = (shape.get_mut(place), ways.get_mut(place)) else {
            return Err("it names an axis that its input does not have");
        };
        let length = i64::try_from(*side).map_err(|_| "an axis is too long")?;
        let from_end = |number: i64| {
            if number < 0 {
                number.saturating_add(length)
            } else {
                number
            }
        };
        // Backwards it starts on the last place and ends before the first.
        let (least, most) = if step < 0 {
            (-1, length - 1)
        } else {
            (0, length)
        };
        let start = from_end(*start).clamp(least.max(0).min(most), most);
        let end = from_end(*end).clamp(least, most);
        *side = steps(start, end, step)?;
        *way = (start, step);
    }
    let numbers = picked(input, &shape, |index| {
        let places = index.iter().zip(&ways).map(|(index, (start, step))| {
            let along = i64::try_from(*index).ok()?.checked_mul(*step)?;
            usize::try_from(start.checked_add(along)?).ok()
        });
        places.collect()
    });
    Ok(Known::new(shape)?.with(numbers))
}

pub(super) fn gather(op: &Operation<'_>) -> Told<Known> {
    let (input, indices) = (op.input(0)?, op.input(1)?);
    let place = axis(op.int("axis").unwrap_or(0), input.shape.len())?;
    let (before, rest) = input.shape.split_at_checked(place).ok_or(UNEQUAL)?;
    let (length, after) = rest.split_first().ok_or(UNEQUAL)?;
    let shape = [before, &indices.shape, after].concat();
    let numbers = match (&input.numbers, &indices.numbers) {
        (Some(numbers), Some(Numbers::Whole(places))) if input.shape.len() == 1 => {
            let places = places.iter().map(|place| axis(*place, *length).ok());
            places
                .collect::<Option<Vec<_>>>()
                .and_then(|places| numbers.pick(&places))
        }
        _ => None,
    };
    Ok(Known::new(shape)?.with(numbers))
}

pub(super) fn gather_nd(op: &Operation<'_>) -> Told<Known> {
    let (input, indices) = (op.shape(0)?, op.shape(1)?);
    let shared = side(op.int("batch_dims").unwrap_or(0))?;
    let (depth, places) = indices.split_last().ok_or("its indices have no axis")?;
    let taken = shared.checked_add(*depth);
    let rest = taken.and_then(|taken| input.get(taken..));
    let rest = rest.ok_or("its indices name more axes than its input has")?;
    Known::new([places, rest].concat())
}

/// Images, channels, rows and columns, and the side of a block.
fn blocks(op: &Operation<'_>) -> Told<([usize; 4], usize)> {
    let block = side(op.int("blocksize").unwrap_or(0))?;
    match op.shape(0)? {
        [a, b, c, d] if block > 0 && block < 65_536 => Ok(([*a, *b, *c, *d], block)),
        _ => Err("its input holds no maps, or its block has no side"),
    }
}

pub(super) fn depth_to_space(op: &Operation<'_>) -> Told<Known> {
    let ([images, channels, rows, columns], block) = blocks(op)?;
    let made = |side: usize| side.checked_mul(block).ok_or("an axis is too long");
    if channels % (block * block) != 0 {
        return Err(UNEQUAL);
    }
    Known::new(vec![
        images,
        channels / (block * block),
        made(rows)?,
        made(columns)?,
    ])
}

pub(super) fn space_to_depth(op: &Operation<'_>) -> Told<Known> {
    let ([images, channels, rows, columns], block) = blocks(op)?;
    if rows % block != 0 || columns % block != 0 {
        return Err(UNEQUAL);
    }
    let channels = channels
        .checked_mul(block * block)
        .ok_or("an axis is too long")?;
    Known::new(vec![images, channels, rows / block, columns / block])
}
