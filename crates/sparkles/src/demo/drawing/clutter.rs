//! Houses, lamps, fences and whatever else stands around.

use tiny_skia::PathBuilder;

use super::Dice;
use super::canvas::{BLACK, Canvas, Ink, WHITE, flat, hex, push_polygon};
use super::setting::{Season, Setting};
use super::trees::{foliage, leaf_colour};

pub(super) fn house(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let (half, wall) = (dice.between(3.2, 5.5), dice.between(2.8, 5.2));
    let rise = dice.between(1.6, 3.2);
    let colour = hex(dice.pick([
        0xe8dcc4, 0xd8c0a0, 0xb85a48, 0xf0eee8, 0x98a8b0, 0x9a3028, 0xc8b058, 0x8a9478,
    ]))
    .varied(0.03, dice);
    let tiles = if setting.snow {
        hex(0xf0f4f8)
    } else {
        hex(dice.pick([0x8a4030, 0x5a4a44, 0x444850, 0xa0583c]))
    };
    canvas.soft((0.0, 0.0), (half * 1.3, 0.5), BLACK, 0.35);
    let chimney = half * dice.between(0.3, 0.6) * dice.pick([-1.0, 1.0]);
    canvas.block(
        (chimney - 0.35, chimney + 0.35),
        (wall, wall + rise + 0.5),
        &flat(hex(0x7a5044)),
    );
    canvas.block(
        (-half, half),
        (0.0, wall),
        &Ink::Upright(0.0, wall, &[(0.0, colour.lit(-0.15)), (1.0, colour)]),
    );
    if dice.chance(0.5) {
        // The gable faces us.
        canvas.polygon(
            &[(-half, wall), (0.0, wall + rise), (half, wall)],
            &flat(colour.lit(-0.04)),
        );
        canvas.line(
            &[
                (-half - 0.4, wall - 0.25),
                (0.0, wall + rise + 0.1),
                (half + 0.4, wall - 0.25),
            ],
            0.4,
            &flat(tiles),
        );
        canvas.oval((0.0, wall + rise * 0.4), (0.45, 0.45), &flat(hex(0x3a444e)));
    } else {
        canvas.polygon(
            &[
                (-half - 0.4, wall - 0.1),
                (-half + 0.9, wall + rise),
                (half - 0.9, wall + rise),
                (half + 0.4, wall - 0.1),
            ],
            &Ink::Upright(
                wall,
                wall + rise,
                &[(0.0, tiles.lit(-0.15)), (1.0, tiles.lit(0.05))],
            ),
        );
    }
    let door = dice.between(-0.5, 0.5) * half;
    let frame = if dice.chance(0.7) {
        WHITE
    } else {
        colour.lit(-0.4)
    };
    let pane = if setting.light.night || dice.chance(0.1) {
        hex(0xffde90)
    } else {
        hex(0x3c4a58)
    };
    let tint = canvas.tint;
    let floors = if wall > 4.2 { 2_u8 } else { 1 };
    for floor in 0..floors {
        let base = 0.9 + f32::from(floor) * 2.2;
        let mut x = -half + 0.7;
        while x + 1.0 < half - 0.4 {
            if floor > 0 || (x + 0.5 - door).abs() > 1.1 {
                canvas.block((x - 0.1, x + 1.1), (base - 0.1, base + 1.4), &flat(frame));
                if setting.light.night {
                    canvas.tint = WHITE;
                }
                canvas.block((x, x + 1.0), (base, base + 1.3), &flat(pane));
                canvas.tint = tint;
                canvas.line(
                    &[(x + 0.5, base), (x + 0.5, base + 1.3)],
                    0.08,
                    &flat(frame),
                );
                canvas.line(
                    &[(x, base + 0.7), (x + 1.0, base + 0.7)],
                    0.08,
                    &flat(frame),
                );
            }
            x += 2.0;
        }
    }
    canvas.block(
        (door - 0.5, door + 0.5),
        (0.0, 2.1),
        &flat(hex(dice.pick([0x6a3a28, 0x2a4a3a, 0x304060, 0x8a2020]))),
    );
}

pub(super) fn facade(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let (half, floors) = (dice.between(4.2, 5.8), dice.whole(2, 5));
    let top = floors as f32 * 3.0 + 0.8;
    let colour = hex(dice.pick([0xd8c8a8, 0xb0745c, 0xc8c4bc, 0xe4d8c0, 0x90989c, 0xc09870]))
        .varied(0.04, dice);
    canvas.block(
        (-half, half),
        (0.0, top),
        &Ink::Upright(0.0, top, &[(0.0, colour.lit(-0.2)), (1.0, colour)]),
    );
    canvas.block(
        (-half - 0.2, half + 0.2),
        (top, top + 0.4),
        &flat(colour.lit(-0.35)),
    );
    let columns = dice.whole(3, 5);
    let step = half * 2.0 / columns as f32;
    let tint = canvas.tint;
    for floor in 1..floors {
        for column in 0..columns {
            let (x, y) = (
                -half + step * (column as f32 + 0.5),
                floor as f32 * 3.0 + 0.9,
            );
            let lamp = setting.light.night && dice.chance(0.4);
            if lamp {
                canvas.tint = WHITE;
            }
            let pane = if lamp { hex(0xffd888) } else { hex(0x485664) };
            canvas.block((x - 0.55, x + 0.55), (y, y + 1.6), &flat(pane));
            canvas.tint = tint;
            canvas.block((x - 0.7, x + 0.7), (y - 0.15, y), &flat(colour.lit(0.25)));
        }
    }
    canvas.block((-half * 0.85, half * 0.3), (0.5, 2.5), &flat(hex(0x3a4854)));
    canvas.block((half * 0.45, half * 0.8), (0.0, 2.4), &flat(hex(0x4a342a)));
    if dice.chance(0.6) {
        let cloth = hex(dice.pick([0xb03030, 0x2a6a4a, 0x305088, 0xd09030]));
        canvas.polygon(
            &[
                (-half * 0.9, 2.9),
                (half * 0.35, 2.9),
                (half * 0.4, 2.3),
                (-half * 0.95, 2.3),
            ],
            &flat(cloth),
        );
    }
}

pub(super) fn street_light(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let tall = dice.between(4.0, 6.5);
    let metal = flat(hex(dice.pick([0x3a4044, 0x808688, 0x2a3a34])));
    canvas.block((-0.12, 0.12), (0.0, 0.5), &metal);
    let mut builder = PathBuilder::new();
    builder.move_to(0.0, 0.0);
    builder.line_to(0.0, tall - 0.6);
    builder.quad_to(0.0, tall, 0.9, tall);
    canvas.stroke(builder.finish(), 0.12, &metal);
    canvas.polygon(
        &[
            (0.6, tall + 0.08),
            (1.4, tall + 0.04),
            (1.4, tall - 0.12),
            (0.6, tall - 0.12),
        ],
        &metal,
    );
    if setting.light.night {
        let tint = std::mem::replace(&mut canvas.tint, WHITE);
        canvas.soft((1.0, tall - 0.2), (1.8, 1.8), hex(0xffe2a0), 0.8);
        canvas.tint = tint;
    }
}

pub(super) fn bush(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let (wide, tall) = (dice.between(0.6, 1.5), dice.between(0.35, 0.6));
    let colour = if setting.season == Season::Winter {
        hex(0x5a5840)
    } else {
        leaf_colour(setting.season, dice)
    };
    canvas.soft((0.0, 0.02), (wide * 1.2, 0.16), BLACK, 0.4);
    foliage(
        canvas,
        (0.0, tall * 0.8),
        (wide, tall),
        colour,
        setting.sun_side,
        dice,
    );
}

/// A fence, a hedge-high wall or rails across `long` metres.
pub(super) fn fence(canvas: &mut Canvas, setting: &Setting, long: f32, dice: &mut Dice) {
    let wood = hex(dice.pick([0xf0eee8, 0x8a6a4a, 0x6a5a4c, 0xa8a094])).varied(0.03, dice);
    // A wall before the eye would hide everything.
    let style = dice.below(if long < 12.0 { 2 } else { 3 });
    if style == 2 {
        let stone = hex(dice.pick([0x9a9286, 0xa86a54, 0xc4bcac]));
        canvas.block(
            (-0.5, long + 0.5),
            (0.0, 0.9),
            &Ink::Upright(0.0, 0.9, &[(0.0, stone.lit(-0.2)), (1.0, stone)]),
        );
        let cap = if setting.snow {
            hex(0xf2f6fa)
        } else {
            stone.lit(-0.25)
        };
        canvas.block((-0.5, long + 0.5), (0.88, 1.0), &flat(cap));
        return;
    }
    for y in [0.35, 0.8] {
        canvas.block((-0.5, long + 0.5), (y, y + 0.09), &flat(wood.lit(-0.15)));
    }
    let (gap, wide) = if style == 0 {
        (0.24, 0.13)
    } else {
        (1.8, 0.14)
    };
    let gap = f32::max(gap, long / 160.0);
    let mut builder = PathBuilder::new();
    let mut x = -dice.between(0.0, 1.0) * gap;
    while x < long {
        push_polygon(
            &mut builder,
            &[
                (x, 0.0),
                (x, 1.0),
                (x + wide / 2.0, 1.1),
                (x + wide, 1.0),
                (x + wide, 0.0),
            ],
        );
        x += gap;
    }
    canvas.fill(builder.finish(), &flat(wood));
}

pub(super) fn sign(canvas: &mut Canvas, dice: &mut Dice) {
    canvas.block((-0.05, 0.05), (0.0, 2.2), &flat(hex(0x808488)));
    let face = hex(dice.pick([0xc02828, 0x2450a0, 0xe8c030, 0x2a7a4a]));
    match dice.below(3) {
        0 => {
            canvas.oval((0.0, 2.3), (0.42, 0.42), &flat(face));
            canvas.oval((0.0, 2.3), (0.3, 0.3), &flat(WHITE));
        }
        1 => {
            canvas.polygon(&[(-0.48, 1.95), (0.48, 1.95), (0.0, 2.8)], &flat(face));
            canvas.polygon(&[(-0.3, 2.06), (0.3, 2.06), (0.0, 2.6)], &flat(WHITE));
        }
        _ => {
            canvas.block((-0.9, 0.9), (1.9, 2.7), &flat(face));
            canvas.block((-0.7, 0.7), (2.24, 2.36), &flat(WHITE));
        }
    }
}

pub(super) fn bench(canvas: &mut Canvas, dice: &mut Dice) {
    let wood = hex(dice.pick([0x7a5434, 0x5a6a50, 0x9a4030]));
    canvas.soft((0.0, 0.0), (1.1, 0.12), BLACK, 0.4);
    for x in [-0.7, 0.62] {
        canvas.block((x, x + 0.08), (0.0, 0.9), &flat(hex(0x2e3032)));
    }
    for y in [0.42, 0.62, 0.78] {
        canvas.block((-0.9, 0.9), (y, y + 0.1), &flat(wood));
    }
}

pub(super) fn bale(canvas: &mut Canvas, dice: &mut Dice) {
    let straw = hex(0xc8a858).varied(0.05, dice);
    canvas.soft((0.0, 0.0), (1.0, 0.15), BLACK, 0.4);
    canvas.oval((0.0, 0.7), (0.72, 0.72), &flat(straw.lit(-0.15)));
    for part in [0.85, 0.6, 0.35] {
        canvas.oval(
            (0.0, 0.7),
            (0.72 * part, 0.72 * part),
            &flat(straw.lit(0.3 - part * 0.4)),
        );
    }
}

/// A row of telegraph poles with their wires.
pub(super) fn poles(canvas: &mut Canvas, long: f32, dice: &mut Dice) {
    let wood = flat(hex(0x5a4a3c));
    let gap = dice.between(10.0, 16.0).max(long / 8.0);
    let start = dice.between(-1.0, 0.0) * gap;
    let mut x = start;
    while x < long + gap {
        canvas.block((x - 0.12, x + 0.12), (0.0, 7.0), &wood);
        canvas.block((x - 0.9, x + 0.9), (6.3, 6.5), &wood);
        for side in [-0.8, 0.8] {
            let mut builder = PathBuilder::new();
            builder.move_to(x + side, 6.5);
            builder.quad_to(x + side + gap / 2.0, 5.6, x + side + gap, 6.5);
            canvas.stroke(builder.finish(), 0.04, &flat(hex(0x2c2c2c)));
        }
        x += gap;
    }
}
