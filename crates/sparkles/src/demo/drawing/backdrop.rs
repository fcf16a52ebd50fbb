//! Sky, distance, ground and road.

use std::f32::consts::TAU;

use tiny_skia::PathBuilder;

use super::Dice;
use super::canvas::{Canvas, Colour, Ink, WHITE, flat, hex, push_oval, push_polygon};
use super::setting::{Setting, Surroundings};

pub(super) fn backdrop(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    sky(canvas, setting, dice);
    distance(canvas, setting, dice);
    ground(canvas, setting, dice);
    if let Some((top, bottom)) = setting.road {
        road(canvas, setting, (top, bottom), dice);
    }
}

pub(super) fn sky(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let (width, horizon, light) = (setting.width, setting.horizon, &setting.light);
    // The sky is the light: it is not tinted by itself.
    let tint = std::mem::replace(&mut canvas.tint, WHITE);
    let stops = [(0.0, light.sky_top), (1.0, light.sky_bottom)];
    canvas.block(
        (0.0, width),
        (0.0, horizon + 0.13 * (setting.height - horizon)),
        &Ink::Upright(0.0, horizon, &stops),
    );
    if light.night {
        for _ in 0..60 {
            let at = (dice.between(0.0, width), dice.between(0.0, horizon));
            let size = dice.between(0.4, 1.1);
            canvas.oval(at, (size, size), &Ink::Flat(WHITE, dice.between(0.2, 0.9)));
        }
    }
    if dice.chance(0.45) {
        let side = 0.5 + setting.sun_side * dice.between(0.1, 0.42);
        let at = (width * side, horizon * dice.between(0.15, 0.75));
        let size = width * dice.between(0.02, 0.05);
        let disc = if light.night {
            hex(0xe8e8dc)
        } else {
            hex(0xfff3cf)
        };
        canvas.soft(at, (size * 5.0, size * 5.0), disc, 0.45);
        canvas.oval(at, (size, size), &Ink::Flat(disc, 0.95));
    }
    if dice.chance(light.cloudy) {
        let white = light.sky_bottom.mix(WHITE, 0.7).mix(tint, 0.15);
        for _ in 0..dice.whole(2, 7) {
            let at = (
                dice.between(-0.1, 1.1) * width,
                dice.between(0.02, 0.8) * horizon,
            );
            cloud(canvas, at, width * dice.between(0.05, 0.16), white, dice);
        }
    }
    canvas.tint = tint;
    if dice.chance(0.12) {
        for _ in 0..dice.whole(2, 6) {
            let (x, y) = (
                dice.between(0.1, 0.9) * width,
                dice.between(0.1, 0.7) * horizon,
            );
            let wing = width * dice.between(0.006, 0.014);
            let mut builder = PathBuilder::new();
            builder.move_to(x - wing, y - wing * 0.4);
            builder.quad_to(x - wing * 0.4, y - wing * 0.7, x, y);
            builder.quad_to(x + wing * 0.4, y - wing * 0.7, x + wing, y - wing * 0.4);
            canvas.stroke(builder.finish(), width * 0.002, &flat(hex(0x30343a)));
        }
    }
}

pub(super) fn cloud(
    canvas: &mut Canvas,
    (x, y): (f32, f32),
    size: f32,
    colour: Colour,
    dice: &mut Dice,
) {
    let opacity = dice.between(0.35, 0.95);
    for (lift, shade) in [(0.0, -0.08), (0.12, 0.0)] {
        let mut builder = PathBuilder::new();
        for step in 0..7 {
            let along = step as f32 / 3.0 - 1.0;
            let reach = size * (0.55 - 0.32 * along * along) * dice.between(0.8, 1.2);
            let centre = (x + along * size, y - size * lift - reach * 0.45);
            push_oval(&mut builder, centre, (reach, reach * 0.62));
        }
        push_oval(&mut builder, (x, y), (size * 1.3, size * 0.16));
        canvas.fill(builder.finish(), &Ink::Flat(colour.lit(shade), opacity));
    }
}

/// What lies along the horizon: sea, hills, mountains or a skyline.
pub(super) fn distance(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let (width, horizon) = (setting.width, setting.horizon);
    let air = setting.light.haze;
    canvas.haze.1 = 0.35 + 0.5 * air;
    if setting.surroundings == Surroundings::Coast {
        let sea = [(0.0, hex(0x5b9abf)), (1.0, hex(0x2f79a0))];
        let shore = horizon + (setting.height - horizon) * 0.16;
        let surface = horizon - setting.height * 0.05;
        canvas.haze.1 = 0.15;
        canvas.block(
            (0.0, width),
            (surface, shore),
            &Ink::Upright(surface, shore, &sea),
        );
        if dice.chance(0.5) {
            let (x, size) = (
                dice.between(0.1, 0.9) * width,
                width * dice.between(0.02, 0.05),
            );
            let y = surface + size * 0.4;
            let hull = [
                (x - size, y),
                (x + size, y),
                (x + size * 0.7, y + size * 0.3),
                (x - size * 0.7, y + size * 0.3),
            ];
            canvas.polygon(&hull, &flat(hex(0xf2f0ea)));
            let sail = [
                (x, y - size * 1.6),
                (x, y - size * 0.1),
                (x + size * 0.8, y - size * 0.1),
            ];
            canvas.polygon(&sail, &flat(dice.pick([WHITE, hex(0xd8543f)])));
        }
        canvas.haze.1 = 0.5;
    }
    let layers = dice.whole(0, 3);
    let jagged = dice.chance(0.3);
    for layer in 0..layers {
        let near = (layer + 1) as f32 / layers as f32;
        let tall = setting.height * dice.between(0.06, 0.2) * (1.25 - near * 0.7);
        let (slow, fast) = (dice.between(0.6, 1.6), dice.between(2.0, 5.0));
        let (shift, other) = (dice.between(0.0, TAU), dice.between(0.0, TAU));
        let mut ridge = vec![(0.0, horizon + 2.0)];
        for step in 0..=48 {
            let along = step as f32 / 48.0;
            let wave = 0.55
                + 0.3 * (along * slow * TAU + shift).sin()
                + 0.15 * (along * fast * TAU + other).sin();
            let rough = if jagged {
                dice.between(-0.14, 0.14)
            } else {
                0.0
            };
            ridge.push((along * width, horizon - tall * (wave + rough)));
        }
        ridge.push((width, horizon + 2.0));
        let code = if jagged {
            dice.pick([0x6d7585, 0x7c726c])
        } else {
            dice.pick([0x5f7f58, 0x748652, 0x867852, 0x6f7d78])
        };
        canvas.haze.1 = (0.75 - 0.35 * near + 0.3 * air).clamp(0.0, 0.95);
        canvas.polygon(&ridge, &flat(hex(code).varied(0.04, dice)));
    }
    if setting.surroundings == Surroundings::Town && dice.chance(0.7) {
        canvas.haze.1 = (0.5 + 0.4 * air).min(0.92);
        let mut x = -0.02 * width;
        while x < width {
            let wide = width * dice.between(0.04, 0.12);
            let tall = setting.height * dice.between(0.06, 0.3);
            let wall = hex(dice.pick([0x707a88, 0x88807a, 0x646c74])).varied(0.04, dice);
            canvas.block((x, x + wide), (horizon - tall, horizon + 2.0), &flat(wall));
            let rows = dice.whole(4, 9);
            let mut builder = PathBuilder::new();
            for row in 0..rows {
                for column in 0..4 {
                    let left = x + wide * (0.12 + 0.21 * column as f32);
                    let top = horizon - tall * (0.93 - 0.9 * row as f32 / rows as f32);
                    push_polygon(
                        &mut builder,
                        &[
                            (left, top),
                            (left + wide * 0.12, top),
                            (left + wide * 0.12, top + tall * 0.4 / rows as f32),
                            (left, top + tall * 0.4 / rows as f32),
                        ],
                    );
                }
            }
            let pane = if setting.light.night {
                hex(0xffe090)
            } else {
                wall.lit(-0.25)
            };
            canvas.fill(builder.finish(), &flat(pane));
            x += wide * dice.between(0.9, 1.5);
        }
    }
    canvas.haze.1 = 0.0;
}

pub(super) fn ground(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let (width, height) = (setting.width, setting.height);
    let near = setting.ground(dice);
    let far = near.mix(setting.light.sky_bottom, 0.25 + 0.45 * setting.light.haze);
    let coast = setting.surroundings == Surroundings::Coast;
    let top = setting.horizon
        + if coast {
            (height - setting.horizon) * 0.12
        } else {
            0.0
        };
    let stops = [(0.0, far), (1.0, near.lit(-0.06))];
    canvas.block(
        (0.0, width),
        (top, height),
        &Ink::Upright(top, height, &stops),
    );
    for _ in 0..9 {
        let y = dice.between(top, height);
        let reach = width * dice.between(0.08, 0.3) * (0.3 + setting.nearness(y));
        let shade = near.lit(dice.between(-0.35, 0.25)).varied(0.06, dice);
        let at = (dice.between(0.0, width), y);
        canvas.soft(at, (reach, reach * 0.16), shade, 0.45);
    }
    let paved = setting.surroundings == Surroundings::Town && !setting.snow;
    if paved {
        let step = setting.metre(height) * 1.2;
        let vanishing = (width * dice.between(0.2, 0.8), setting.horizon);
        for index in -14_i16..=14 {
            let x = vanishing.0 + f32::from(index) * step;
            canvas.line(
                &[
                    (vanishing.0 + f32::from(index) * step * 0.05, top),
                    (x, height),
                ],
                0.8,
                &Ink::Flat(near.lit(-0.4), 0.22),
            );
        }
        for index in 1..9 {
            let y = setting.horizon + (height - setting.horizon) / (index as f32 * 0.6 + 0.4);
            canvas.line(
                &[(0.0, y), (width, y)],
                0.8,
                &Ink::Flat(near.lit(-0.4), 0.22),
            );
        }
    } else if !setting.snow {
        for shade in [-0.3, 0.2] {
            let mut builder = PathBuilder::new();
            for _ in 0..150 {
                let part = dice.unit();
                let y = top + (height - top) * part.sqrt();
                let x = dice.between(0.0, width);
                let blade = height * 0.022 * (0.15 + setting.nearness(y));
                builder.move_to(x, y);
                builder.line_to(x + dice.between(-0.4, 0.4) * blade, y - blade);
            }
            let ink = Ink::Flat(near.lit(shade), if coast { 0.2 } else { 0.55 });
            canvas.stroke(builder.finish(), (height * 0.0035).max(0.7), &ink);
        }
        if dice.chance(0.35) {
            let petals = hex(dice.pick([0xf4d03f, 0xf5f0f0, 0xd05a70, 0xa870c8, 0xc86a2a]));
            let mut builder = PathBuilder::new();
            for _ in 0..dice.whole(30, 120) {
                let y = top + (height - top) * dice.unit().sqrt();
                let dot = height * 0.006 * (0.2 + setting.nearness(y));
                push_oval(
                    &mut builder,
                    (dice.between(0.0, width), y),
                    (dot, dot * 0.7),
                );
            }
            canvas.fill(builder.finish(), &Ink::Flat(petals, 0.85));
        }
    }
}

pub(super) fn road(
    canvas: &mut Canvas,
    setting: &Setting,
    (top, bottom): (f32, f32),
    dice: &mut Dice,
) {
    let width = setting.width;
    let deep = bottom - top;
    let dirt = setting.surroundings != Surroundings::Town && dice.chance(0.25);
    let code = if dirt {
        0xa88c66
    } else {
        dice.pick([0x5a5c60, 0x707070, 0x888682])
    };
    let surface = hex(code).varied(0.03, dice);
    if !dirt {
        let kerb = hex(0xc2beb4).varied(0.05, dice);
        let over = deep * 0.1;
        canvas.block((0.0, width), (top - over, bottom + over), &flat(kerb));
        canvas.block(
            (0.0, width),
            (bottom + over * 0.5, bottom + over),
            &flat(kerb.lit(-0.3)),
        );
    }
    let stops = [(0.0, surface.lit(0.12)), (1.0, surface.lit(-0.1))];
    canvas.block(
        (0.0, width),
        (top, bottom),
        &Ink::Upright(top, bottom, &stops),
    );
    for _ in 0..5 {
        let at = (
            dice.between(0.0, width),
            dice.between(top + deep * 0.15, bottom - deep * 0.15),
        );
        let shade = surface.lit(dice.between(-0.3, 0.2));
        canvas.soft(at, (width * 0.12, deep * 0.1), shade, 0.3);
    }
    if dirt {
        for part in [0.3, 0.7] {
            canvas.soft(
                (width / 2.0, top + deep * part),
                (width * 0.8, deep * 0.12),
                surface.lit(-0.35),
                0.5,
            );
        }
    } else {
        let middle = top + deep * 0.42;
        let paint = dice.pick([WHITE, hex(0xe8e4d8), hex(0xe9c24a)]);
        let dash = setting.metre(middle) * 1.6;
        let mut x = -dice.between(0.0, 2.0) * dash;
        while x < width {
            let slant = deep * 0.05;
            canvas.polygon(
                &[
                    (x, middle + slant),
                    (x + slant, middle),
                    (x + dash, middle),
                    (x + dash - slant, middle + slant),
                ],
                &Ink::Flat(paint, 0.8),
            );
            x += dash * 2.1;
        }
    }
}
