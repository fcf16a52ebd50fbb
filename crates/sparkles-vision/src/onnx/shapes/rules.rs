//! Which rule an operator follows, and those of products, sums and numbers.

use super::node::{Made, Operation, axis, side};
use super::numbers::{Known, Numbers, count};
use super::{Told, views, windows};

/// What an operation makes of its inputs.
pub(super) fn infer(op: &Operation<'_>) -> Told<Made> {
    Ok(match op.operator() {
        "Abs"
        | "Acos"
        | "Acosh"
        | "Asin"
        | "Asinh"
        | "Atan"
        | "Atanh"
        | "BatchNormalization"
        | "Bernoulli"
        | "BitwiseNot"
        | "CastLike"
        | "Ceil"
        | "Celu"
        | "Clip"
        | "Cos"
        | "Cosh"
        | "CumSum"
        | "DequantizeLinear"
        | "Elu"
        | "Erf"
        | "Exp"
        | "EyeLike"
        | "Floor"
        | "Gelu"
        | "GroupNormalization"
        | "HardSigmoid"
        | "HardSwish"
        | "Hardmax"
        | "Identity"
        | "InstanceNormalization"
        | "IsInf"
        | "IsNaN"
        | "LRN"
        | "LayerNormalization"
        | "LeakyRelu"
        | "Log"
        | "LogSoftmax"
        | "LpNormalization"
        | "MeanVarianceNormalization"
        | "Mish"
        | "Neg"
        | "Not"
        | "QuantizeLinear"
        | "RMSNormalization"
        | "RandomNormalLike"
        | "RandomUniformLike"
        | "Reciprocal"
        | "Relu"
        | "ReverseSequence"
        | "RotaryEmbedding"
        | "Round"
        | "Scatter"
        | "ScatterElements"
        | "ScatterND"
        | "Selu"
        | "Shrink"
        | "Sigmoid"
        | "Sign"
        | "Sin"
        | "Sinh"
        | "Softmax"
        | "Softplus"
        | "Softsign"
        | "Sqrt"
        | "Swish"
        | "Tan"
        | "Tanh"
        | "ThresholdedRelu"
        | "Trilu" => same(op)?.into(),
        "Cast" => cast(op)?.into(),
        "Dropout" => vec![same(op)?, Known::new(op.shape(0)?.to_vec())?].into(),
        "DynamicQuantizeLinear" => {
            let single = Known::new(Vec::new())?;
            vec![same(op)?, single.clone(), single].into()
        }
        "Add" | "And" | "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" | "Div"
        | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Max" | "Mean"
        | "Min" | "Mod" | "Mul" | "Or" | "PRelu" | "Pow" | "Sub" | "Sum" | "Where" | "Xor" => {
            elementwise(op)?.into()
        }
        "Constant" => constant(op)?.into(),
        "ConstantOfShape" => filled(op)?.into(),
        "Range" => range(op)?.into(),
        "OneHot" => one_hot(op)?.into(),
        "ArgMax" | "ArgMin" => arg_max(op)?.into(),
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax"
        | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => {
            reduce(op)?.into()
        }
        "TopK" => top_k(op)?,
        "Gemm" => gemm(op)?.into(),
        "MatMul" | "MatMulInteger" => mat_mul(op)?.into(),
        "Einsum" => einsum(op)?.into(),
        "GRU" => recurrent(op, 3)?,
        "LSTM" => recurrent(op, 4)?,
        "Conv" | "ConvInteger" => windows::convolution(op)?.into(),
        "ConvTranspose" => windows::transposed_convolution(op)?,
        "AveragePool" | "LpPool" | "MaxPool" => windows::pool(op)?.into(),
        "GlobalAveragePool" | "GlobalLpPool" | "GlobalMaxPool" => windows::global_pool(op)?.into(),
        "Pad" => windows::pad(op)?.into(),
        "Resize" | "Upsample" => windows::resize(op)?.into(),
        "GridSample" => windows::grid_sample(op)?.into(),
        "Concat" => views::concatenate(op)?.into(),
        "DepthToSpace" => views::depth_to_space(op)?.into(),
        "Expand" => views::expand(op)?.into(),
        "Flatten" => views::flatten(op)?.into(),
        "Gather" => views::gather(op)?.into(),
        "GatherElements" => Known::new(op.shape(1)?.to_vec())?.into(),
        "GatherND" => views::gather_nd(op)?.into(),
        "Reshape" => views::reshape(op)?.into(),
        "Shape" => views::shape(op)?.into(),
        "Size" => {
            let count = i64::try_from(op.input(0)?.count()).ok();
            let numbers = count.and_then(|count| Numbers::whole(vec![count]));
            Known::new(Vec::new())?.with(numbers).into()
        }
        "Slice" => views::slice(op)?.into(),
        "SpaceToDepth" => views::space_to_depth(op)?.into(),
        "Split" => views::split(op)?.into(),
        "Squeeze" => views::squeeze(op)?.into(),
        "Tile" => views::tile(op)?.into(),
        "Transpose" => views::transpose(op)?.into(),
        "Unsqueeze" => views::unsqueeze(op)?.into(),
        "If" | "Loop" | "Scan" => return Err("its size shows only when it runs"),
        "Compress" | "NonMaxSuppression" | "NonZero" | "StringSplit" | "Unique" => {
            return Err("how many values there are depends on the image");
        }
        _ => return Err("there is no rule for its operator"),
    })
}

/// A value like the first input.
fn same(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let numbers = match op.operator() {
        "Identity" => input.numbers.clone(),
        operator => input
            .numbers
            .as_ref()
            .and_then(|numbers| numbers.map(operator)),
    };
    Ok(Known::new(input.shape.clone())?.with(numbers))
}

fn cast(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let to = op.int("to").unwrap_or(0);
    let numbers = input.numbers.as_ref().and_then(|numbers| numbers.cast(to));
    Ok(Known::new(input.shape.clone())?.with(numbers))
}

/// The shape of values that go with each other, by numpy's rule.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Told<Vec<usize>> {
    let length = a.len().max(b.len());
    let at = |shape: &[usize], place: usize| {
        let missing = length - shape.len();
        let place = place.checked_sub(missing);
        place
            .and_then(|place| shape.get(place).copied())
            .unwrap_or(1)
    };
    let sides = (0..length).map(|place| match (at(a, place), at(b, place)) {
        (a, b) if a == b => Ok(a),
        (1, b) => Ok(b),
        (a, 1) => Ok(a),
        _ => Err("shapes of its inputs do not go together"),
    });
    sides.collect()
}

fn elementwise(op: &Operation<'_>) -> Told<Known> {
    let mut shape = Vec::new();
    for input in op.inputs() {
        shape = broadcast(&shape, &input.shape)?;
    }
    let numbers = match (op.operator(), op.get(0), op.get(1), op.get(2)) {
        ("Where", Some(condition), Some(a), Some(b)) => choose(condition, a, b),
        (operator, Some(a), Some(b), None) => match (&a.numbers, &b.numbers) {
            // Numbers of more than one row may go together otherwise.
            (Some(x), Some(y)) if a.shape.len() < 2 && b.shape.len() < 2 => x.combine(y, operator),
            _ => None,
        },
        _ => None,
    };
    Ok(Known::new(shape)?.with(numbers))
}

/// Numbers of `a` where the condition holds, of `b` elsewhere; of one shape only.
fn choose(condition: &Known, a: &Known, b: &Known) -> Option<Numbers> {
    let (
        Some(Numbers::Whole(conditions)),
        Some(Numbers::Whole(first)),
        Some(Numbers::Whole(second)),
    ) = (&condition.numbers, &a.numbers, &b.numbers)
    else {
        return None;
    };
    if a.shape != b.shape || condition.shape != a.shape {
        return None;
    }
    let pairs = conditions.iter().zip(first.iter().zip(second));
    Numbers::whole(
        pairs
            .map(|(is_first, (a, b))| if *is_first == 0 { *b } else { *a })
            .collect(),
    )
}

fn constant(op: &Operation<'_>) -> Told<Known> {
    if let Some(tensor) = op.tensor("value") {
        let sides = tensor.dims.iter().map(|length| side(*length));
        let shape = sides.collect::<Told<Vec<_>>>()?;
        let count = count(&shape)?;
        return Ok(Known::new(shape)?.with(Numbers::of(tensor, count)));
    }
    if let Some(number) = op.int("value_int") {
        return Ok(Known::new(Vec::new())?.with(Numbers::whole(vec![number])));
    }
    if let Some(numbers) = op.ints("value_ints") {
        return Ok(Known::new(vec![numbers.len()])?.with(Numbers::whole(numbers.to_vec())));
    }
    if let Some(number) = op.real("value_float") {
        return Ok(Known::new(Vec::new())?.with(Some(Numbers::Real(vec![number]))));
    }
    if let Some(numbers) = op.reals("value_floats") {
        return Ok(Known::new(vec![numbers.len()])?.with(Some(Numbers::Real(numbers.to_vec()))));
    }
    Err("it holds no numbers")
}

/// One number over and over.
fn filled(op: &Operation<'_>) -> Told<Known> {
    let lengths = op.required(0)?.iter().map(|length| side(*length));
    let known = Known::new(lengths.collect::<Told<_>>()?)?;
    let number = op
        .tensor("value")
        .map_or(Some(Numbers::Real(vec![0.0])), |tensor| {
            Numbers::of(tensor, 1)
        });
    let count = known.count();
    let numbers = match number {
        Some(number) if count <= super::numbers::MOST_NUMBERS => number.pick(&vec![0; count]),
        _ => None,
    };
    Ok(known.with(numbers))
}

/// Numbers from a first one to below a last one.
fn range(op: &Operation<'_>) -> Told<Known> {
    if let (Some([start]), Some([limit]), Some([step])) = (
        op.numbers(0).ok().flatten(),
        op.numbers(1).ok().flatten(),
        op.numbers(2).ok().flatten(),
    ) {
        let count = steps(*start, *limit, *step)?;
        let known = Known::new(vec![count])?;
        if count > super::numbers::MOST_NUMBERS {
            return Ok(known);
        }
        let numbers = std::iter::successors(Some(*start), |number| number.checked_add(*step));
        return Ok(known.with(Numbers::whole(numbers.take(count).collect())));
    }
    let (Some([start]), Some([limit]), Some([step])) =
        (op.floats(0)?, op.floats(1)?, op.floats(2)?)
    else {
        return Err("a bound is not one number");
    };
    let count = ((f64::from(*limit) - f64::from(*start)) / f64::from(*step)).ceil();
    if count.is_nan() || count >= f64::from(i32::MAX) {
        return Err("it has no end");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 2^31"
    )]
    Known::new(vec![count.max(0.0) as usize])
}

/// How many numbers lie from `start` to below `limit`.
pub(super) fn steps(start: i64, limit: i64, step: i64) -> Told<usize> {
    let way = limit.checked_sub(start).ok_or("it has no end")?;
    let (way, step) = if step < 0 {
        (-way, step.checked_neg().ok_or("it has no end")?)
    } else {
        (way, step)
    };
    if step == 0 {
        return Err("its step is 0");
    }
    if way <= 0 {
        return Ok(0);
    }
    let count = way / step + i64::from(way % step != 0);
    usize::try_from(count).map_err(|_| "it has no end")
}

fn one_hot(op: &Operation<'_>) -> Told<Known> {
    let mut shape = op.shape(0)?.to_vec();
    let [depth] = op.required(1)? else {
        return Err("the number of classes is not one number");
    };
    let place = axis(op.int("axis").unwrap_or(-1), shape.len() + 1)?;
    shape.insert(place, side(*depth)?);
    Known::new(shape)
}

fn arg_max(op: &Operation<'_>) -> Told<Known> {
    let shape = op.shape(0)?;
    let place = axis(op.int("axis").unwrap_or(0), shape.len())?;
    Known::new(without(shape, &[place], op.int("keepdims") != Some(0)))
}

/// A shape whose axes at some places are 1, or gone.
fn without(shape: &[usize], places: &[usize], is_kept: bool) -> Vec<usize> {
    let sides = shape.iter().enumerate();
    sides
        .filter(|(place, _)| is_kept || !places.contains(place))
        .map(|(place, side)| if places.contains(&place) { 1 } else { *side })
        .collect()
}

fn reduce(op: &Operation<'_>) -> Told<Known> {
    let input = op.input(0)?;
    let axes = op.setting("axes", 1)?.filter(|axes| !axes.is_empty());
    let axes = match axes {
        Some(axes) => axes
            .iter()
            .map(|place| axis(*place, input.shape.len()))
            .collect::<Told<Vec<_>>>()?,
        None if op.int("noop_with_empty_axes").unwrap_or(0) != 0 => Vec::new(),
        None => (0..input.shape.len()).collect(),
    };
    let shape = without(&input.shape, &axes, op.int("keepdims") != Some(0));
    let numbers = match (&input.numbers, op.operator()) {
        (Some(Numbers::Whole(numbers)), "ReduceProd") if axes.len() == input.shape.len() => {
            let product = numbers
                .iter()
                .try_fold(1i64, |product, number| product.checked_mul(*number));
            product.and_then(|product| Numbers::whole(vec![product]))
        }
        _ => None,
    };
    Ok(Known::new(shape)?.with(numbers))
}

fn top_k(op: &Operation<'_>) -> Told<Made> {
    let mut shape = op.shape(0)?.to_vec();
    let most = match op.int("k") {
        Some(most) => most,
        None => match op.required(1)? {
            [most] => *most,
            _ => return Err("how many to keep is not one number"),
        },
    };
    let place = axis(op.int("axis").unwrap_or(-1), shape.len())?;
    let most = side(most)?;
    if let Some(length) = shape.get_mut(place) {
        if most > *length {
            return Err("it keeps more values than there are");
        }
        *length = most;
    }
    let known = Known::new(shape)?;
    Ok(vec![known.clone(), known].into())
}

fn gemm(op: &Operation<'_>) -> Told<Known> {
    let turned = |at: usize, name: &str| match op.shape(at)? {
        [rows, columns] if op.int(name).unwrap_or(0) != 0 => Ok([*columns, *rows]),
        [rows, columns] => Ok([*rows, *columns]),
        _ => Err("an input is no matrix"),
    };
    let ([rows, inner], [other, columns]) = (turned(0, "transA")?, turned(1, "transB")?);
    if inner != other {
        return Err("its matrices do not go together");
    }
    if let Some(bias) = op.get(2)
        && broadcast(&[rows, columns], &bias.shape)? != [rows, columns]
    {
        return Err("its bias has another shape than its product");
    }
    Known::new(vec![rows, columns])
}

fn mat_mul(op: &Operation<'_>) -> Told<Known> {
    let (a, b) = (op.shape(0)?, op.shape(1)?);
    let wrong = "its matrices do not go together";
    // A vector is a matrix of one row on the left, of one column on the right.
    let (a_rest, rows, inner) = match a {
        [rest @ .., rows, inner] => (rest, Some(*rows), *inner),
        [inner] => (&[][..], None, *inner),
        [] => return Err(wrong),
    };
    let (b_rest, other, columns) = match b {
        [rest @ .., other, columns] => (rest, *other, Some(*columns)),
        [other] => (&[][..], *other, None),
        [] => return Err(wrong),
    };
    if inner != other {
        return Err(wrong);
    }
    let mut shape = broadcast(a_rest, b_rest)?;
    shape.extend(rows);
    shape.extend(columns);
    Known::new(shape)
}

/// Products of one or two values by letters of their axes.
fn einsum(op: &Operation<'_>) -> Told<Known> {
    let equation = op.text("equation").ok_or("it has no equation")?;
    let equation: String = equation.chars().filter(|letter| *letter != ' ').collect();
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = inputs.split(',').collect();
    // With more the values between them may be larger than all of them.
    if terms.len() > 2 || terms.len() != op.inputs().count() {
        return Err("it multiplies more than two values");
    }
    let mut sides: Vec<(char, usize)> = Vec::new();
    for (term, input) in terms.iter().zip(op.inputs()) {
        if term.chars().count() != input.shape.len() {
            return Err("its equation does not name each axis");
        }
        for (letter, length) in term.chars().zip(&input.shape) {
            if !letter.is_ascii_alphabetic() {
                return Err("its equation does not name each axis");
            }
            match sides.iter_mut().find(|(known, _)| *known == letter) {
                None => sides.push((letter, *length)),
                Some((_, known)) if known == length || *length == 1 => {}
                Some((_, known)) if *known == 1 => *known = *length,
                Some(_) => return Err("axes of one letter differ"),
            }
        }
    }
    let output: String = output.map_or_else(
        || {
            // Letters that occur once, in order.
            let once = |letter: &char| inputs.chars().filter(|other| other == letter).count() == 1;
            let mut letters: Vec<char> = sides.iter().map(|(letter, _)| *letter).collect();
            letters.sort_unstable();
            letters.into_iter().filter(once).collect()
        },
        str::to_owned,
    );
    let shape = output.chars().map(|letter| {
        let side = sides.iter().find(|(known, _)| *known == letter);
        side.map(|(_, side)| *side)
            .ok_or("its equation makes an axis of nothing")
    });
    Known::new(shape.collect::<Told<_>>()?)
}

/// A network that goes step by step: `gates` matrices a direction.
fn recurrent(op: &Operation<'_>, gates: usize) -> Told<Made> {
    if op.int("layout").unwrap_or(0) != 0 {
        return Err("its images are not on the second axis");
    }
    let ([length, batch, _], [directions, _, hidden]) = (op.shape(0)?, op.shape(2)?) else {
        return Err("its inputs have not three axes");
    };
    let all = Known::new(vec![*length, *directions, *batch, *hidden])?;
    let last = Known::new(vec![*directions, *batch, *hidden])?;
    let scratch = count(&[*length, *directions, *batch, *hidden, gates])?;
    Ok(Made {
        values: vec![all, last.clone(), last],
        scratch,
    })
}
