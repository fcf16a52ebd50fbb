//! Inception-v3: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the
//! Inception Architecture for Computer Vision", 2015,
//! <https://arxiv.org/abs/1512.00567>, table 1, without the auxiliary classifier.

use super::layers::{Layers, Network};
use super::weights::Weights;
use crate::error::WeightsError;
use crate::onnx::{Value, Window};

const EPSILON: f64 = 1e-3;

/// A layer of a branch: name, output channels, kernel.
type Step = (&'static str, usize, Window);

/// What a module does with its input: some branches of convolutions, and a pool.
struct Module {
    name: &'static str,
    branches: Vec<Vec<Step>>,
    /// The last branches end in two convolutions side by side.
    pool: Pool,
}

enum Pool {
    /// Mean of 3 × 3, then a 1 × 1 convolution to so many channels.
    Average(usize),
    /// Largest of 3 × 3 at stride 2.
    Maximum,
}

pub(super) fn build(weights: &Weights<'_>, side: usize) -> Result<Network, WeightsError> {
    let (mut net, image) = Layers::new("inception_v3", side, weights, EPSILON);
    let x = unit(&mut net, &image, "Conv2d_1a_3x3", 32, Window::square(3, 2))?;
    let x = unit(&mut net, &x, "Conv2d_2a_3x3", 32, Window::square(3, 1))?;
    let x = unit(&mut net, &x, "Conv2d_2b_3x3", 64, Window::same(3, 3))?;
    let x = net.graph.max_pool(&x, "Pool1", Window::square(3, 2));
    let x = unit(&mut net, &x, "Conv2d_3b_1x1", 80, Window::square(1, 1))?;
    let x = unit(&mut net, &x, "Conv2d_4a_3x3", 192, Window::square(3, 1))?;
    let mut x = net.graph.max_pool(&x, "Pool2", Window::square(3, 2));
    for module in [
        mixed_35("Mixed_5b", 32),
        mixed_35("Mixed_5c", 64),
        mixed_35("Mixed_5d", 64),
        reduce_35(),
        mixed_17("Mixed_6b", 128),
        mixed_17("Mixed_6c", 160),
        mixed_17("Mixed_6d", 160),
        mixed_17("Mixed_6e", 192),
        reduce_17(),
    ] {
        x = mixed(&mut net, &x, &module)?;
    }
    let x = mixed_8(&mut net, &x, "Mixed_7b")?;
    let x = mixed_8(&mut net, &x, "Mixed_7c")?;
    let features = net.graph.global_average(&x, "features");
    let logits = net.linear(&features, "fc", "logits", 1000)?;
    Ok(net.finish(features, logits))
}

/// Convolution, normalisation, activation.
fn unit(
    net: &mut Layers<'_, '_>,
    input: &Value,
    name: &str,
    channels: usize,
    window: Window,
) -> Result<Value, WeightsError> {
    let names = (format!("{name}.conv"), format!("{name}.bn"));
    let x = net.convolution_norm(input, (&names.0, &names.1), channels, window)?;
    Ok(net.relu(&x))
}

fn one() -> Window {
    Window::square(1, 1)
}

/// Figure 5 of the paper, on maps of 35 × 35.
fn mixed_35(name: &'static str, pooled: usize) -> Module {
    Module {
        name,
        branches: vec![
            vec![("branch1x1", 64, one())],
            vec![
                ("branch5x5_1", 48, one()),
                ("branch5x5_2", 64, Window::same(5, 5)),
            ],
            vec![
                ("branch3x3dbl_1", 64, one()),
                ("branch3x3dbl_2", 96, Window::same(3, 3)),
                ("branch3x3dbl_3", 96, Window::same(3, 3)),
            ],
        ],
        pool: Pool::Average(pooled),
    }
}

/// Figure 10, from 35 × 35 to 17 × 17.
fn reduce_35() -> Module {
    Module {
        name: "Mixed_6a",
        branches: vec![
            vec![("branch3x3", 384, Window::square(3, 2))],
            vec![
                ("branch3x3dbl_1", 64, one()),
                ("branch3x3dbl_2", 96, Window::same(3, 3)),
                ("branch3x3dbl_3", 96, Window::square(3, 2)),
            ],
        ],
        pool: Pool::Maximum,
    }
}

/// Figure 6 with n = 7, on maps of 17 × 17.
fn mixed_17(name: &'static str, inner: usize) -> Module {
    let (row, column) = (Window::same(1, 7), Window::same(7, 1));
    Module {
        name,
        branches: vec![
            vec![("branch1x1", 192, one())],
            vec![
                ("branch7x7_1", inner, one()),
                ("branch7x7_2", inner, row),
                ("branch7x7_3", 192, column),
            ],
            vec![
                ("branch7x7dbl_1", inner, one()),
                ("branch7x7dbl_2", inner, column),
                ("branch7x7dbl_3", inner, row),
                ("branch7x7dbl_4", inner, column),
                ("branch7x7dbl_5", 192, row),
            ],
        ],
        pool: Pool::Average(192),
    }
}

/// Figure 10, from 17 × 17 to 8 × 8.
fn reduce_17() -> Module {
    Module {
        name: "Mixed_7a",
        branches: vec![
            vec![
                ("branch3x3_1", 192, one()),
                ("branch3x3_2", 320, Window::square(3, 2)),
            ],
            vec![
                ("branch7x7x3_1", 192, one()),
                ("branch7x7x3_2", 192, Window::same(1, 7)),
                ("branch7x7x3_3", 192, Window::same(7, 1)),
                ("branch7x7x3_4", 192, Window::square(3, 2)),
            ],
        ],
        pool: Pool::Maximum,
    }
}

fn mixed(net: &mut Layers<'_, '_>, input: &Value, module: &Module) -> Result<Value, WeightsError> {
    let name = module.name;
    let mut outputs = Vec::new();
    for branch in &module.branches {
        let mut x = input.clone();
        for (layer, channels, window) in branch {
            x = unit(net, &x, &format!("{name}.{layer}"), *channels, *window)?;
        }
        outputs.push(x);
    }
    outputs.push(match module.pool {
        Pool::Average(channels) => average_branch(net, input, name, channels)?,
        Pool::Maximum => net
            .graph
            .max_pool(input, &format!("{name}.pool"), Window::square(3, 2)),
    });
    Ok(net.graph.concatenate(&outputs, name))
}

fn average_branch(
    net: &mut Layers<'_, '_>,
    input: &Value,
    name: &str,
    channels: usize,
) -> Result<Value, WeightsError> {
    let x = net
        .graph
        .average_pool(input, &format!("{name}.pool"), Window::same(3, 3));
    unit(net, &x, &format!("{name}.branch_pool"), channels, one())
}

/// Figure 7, on maps of 8 × 8: two branches end in a 1 × 3 and a 3 × 1 convolution
/// side by side.
fn mixed_8(net: &mut Layers<'_, '_>, input: &Value, name: &str) -> Result<Value, WeightsError> {
    let layer = |layer: &str| format!("{name}.{layer}");
    let mut outputs = vec![unit(net, input, &layer("branch1x1"), 320, one())?];
    let short = unit(net, input, &layer("branch3x3_1"), 384, one())?;
    let long = unit(net, input, &layer("branch3x3dbl_1"), 448, one())?;
    let long = unit(
        net,
        &long,
        &layer("branch3x3dbl_2"),
        384,
        Window::same(3, 3),
    )?;
    for (x, row, column) in [
        (short, "branch3x3_2a", "branch3x3_2b"),
        (long, "branch3x3dbl_3a", "branch3x3dbl_3b"),
    ] {
        outputs.push(unit(net, &x, &layer(row), 384, Window::same(1, 3))?);
        outputs.push(unit(net, &x, &layer(column), 384, Window::same(3, 1))?);
    }
    outputs.push(average_branch(net, input, name, 192)?);
    Ok(net.graph.concatenate(&outputs, name))
}
