//! Trees of seven kinds through the seasons, and the leaves of bushes.

use std::f32::consts::{PI, TAU};

use tiny_skia::PathBuilder;

use super::Dice;
use super::canvas::{Canvas, Colour, Ink, flat, hex, push_blob, push_oval, push_polygon};
use super::setting::{Season, Setting, Surroundings};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TreeKind {
    Leafy,
    Column,
    Spreading,
    Birch,
    Conifer,
    Bare,
    Palm,
}

impl TreeKind {
    pub(super) fn new(setting: &Setting, dice: &mut Dice) -> Self {
        use TreeKind::{Bare, Birch, Column, Conifer, Leafy, Palm, Spreading};
        match (setting.surroundings, setting.season) {
            (Surroundings::Coast, _) => dice.pick([Palm, Palm, Palm, Leafy, Conifer, Spreading]),
            (_, Season::Winter) => dice.pick([Bare, Bare, Bare, Conifer, Conifer, Birch]),
            (_, Season::Autumn) => {
                dice.pick([Leafy, Leafy, Column, Spreading, Birch, Conifer, Bare])
            }
            _ => dice.pick([
                Leafy, Leafy, Leafy, Spreading, Spreading, Column, Birch, Conifer, Conifer, Palm,
                Bare,
            ]),
        }
    }
}

impl TreeKind {
    /// How tall it may be against the room above its foot and still be recognised.
    pub(super) fn headroom(self) -> f32 {
        match self {
            Self::Leafy | Self::Spreading | Self::Column => 1.15,
            Self::Conifer | Self::Bare => 1.05,
            Self::Birch | Self::Palm => 0.97,
        }
    }
}

/// A tree of height 1 that stands at the origin.
pub(super) fn tree(canvas: &mut Canvas, setting: &Setting, kind: TreeKind, dice: &mut Dice) {
    let dark = if setting.snow { 0.3 } else { 0.5 };
    canvas.soft(
        (-setting.sun_side * 0.06, 0.0),
        (0.3, 0.035),
        hex(0x0c100c),
        dark,
    );
    let season = setting.season;
    match kind {
        TreeKind::Leafy => leafy(
            canvas,
            setting,
            dice.between(0.75, 1.1),
            leaf_colour(season, dice),
            dice,
        ),
        TreeKind::Column => leafy(
            canvas,
            setting,
            dice.between(0.32, 0.45),
            leaf_colour(season, dice),
            dice,
        ),
        TreeKind::Spreading => leafy(
            canvas,
            setting,
            dice.between(1.2, 1.6),
            leaf_colour(season, dice),
            dice,
        ),
        TreeKind::Birch => birch(canvas, setting, dice),
        TreeKind::Conifer => conifer(canvas, setting, dice),
        TreeKind::Bare => bare(canvas, hex(dice.pick([0x4a3a30, 0x5a5048, 0x3a322e])), dice),
        TreeKind::Palm => palm(canvas, dice),
    }
}

pub(super) fn leaf_colour(season: Season, dice: &mut Dice) -> Colour {
    let code = match season {
        _ if dice.chance(0.05) => 0x5e2a38,
        Season::Spring => dice.pick([0x7fb248, 0x98c058, 0x62a044, 0xe8a8bc, 0xeee4e0]),
        Season::Summer => dice.pick([0x3f7d34, 0x4f8a38, 0x2f6838, 0x6a8c38, 0x58784a]),
        Season::Autumn => dice.pick([0xd8762a, 0xbf422a, 0xe0a838, 0x984a28, 0xb0862e, 0x7a8a3a]),
        Season::Winter => dice.pick([0x4a603c, 0x7a6a48]),
    };
    hex(code).varied(0.05, dice)
}

/// A trunk from the ground to `top`, wider at its foot.
pub(super) fn trunk(canvas: &mut Canvas, top: f32, wide: f32, bark: Colour, side: f32) {
    let half = wide / 2.0;
    let mut builder = PathBuilder::new();
    builder.move_to(-half * 2.0, -0.005);
    builder.quad_to(-half, top * 0.12, -half, top * 0.35);
    builder.line_to(-half * 0.55, top);
    builder.line_to(half * 0.55, top);
    builder.line_to(half, top * 0.35);
    builder.quad_to(half, top * 0.12, half * 2.0, -0.005);
    builder.close();
    canvas.fill(builder.finish(), &flat(bark));
    let mut builder = PathBuilder::new();
    builder.move_to(-side * half * 1.9, 0.0);
    builder.quad_to(
        -side * half * 0.9,
        top * 0.12,
        -side * half * 0.95,
        top * 0.35,
    );
    builder.line_to(-side * half * 0.5, top);
    builder.line_to(0.0, top);
    builder.line_to(-side * half * 0.1, 0.0);
    builder.close();
    canvas.fill(builder.finish(), &Ink::Flat(bark.lit(-0.4), 0.6));
}

/// Leaves within an oval: dark lumps below, lighter ones toward the sun.
pub(super) fn foliage(
    canvas: &mut Canvas,
    centre: (f32, f32),
    radii: (f32, f32),
    colour: Colour,
    side: f32,
    dice: &mut Dice,
) {
    let inside = |dice: &mut Dice, limit: f32| {
        let (angle, reach) = (dice.between(0.0, TAU), dice.unit().sqrt() * limit);
        (reach * angle.cos(), reach * angle.sin())
    };
    let lump = radii.0.min(radii.1);
    let mut builder = PathBuilder::new();
    let long = (radii.0.max(radii.1) / lump).clamp(1.0, 3.0);
    let lumps = dice.whole(14, 16) + if long > 1.5 { 12 } else { 0 };
    for index in 0..lumps {
        let angle = TAU * index as f32 / lumps as f32 + dice.between(-0.15, 0.15);
        let reach = dice.between(0.58, 0.82);
        let at = (
            centre.0 + radii.0 * reach * angle.cos(),
            centre.1 + radii.1 * reach * angle.sin(),
        );
        let size = lump * dice.between(0.24, 0.4);
        push_blob(&mut builder, at, (size, size), dice);
    }
    push_blob(&mut builder, centre, (radii.0 * 0.75, radii.1 * 0.75), dice);
    canvas.fill(builder.finish(), &flat(colour.lit(-0.42)));
    for step in 0..6 {
        let brightness = step as f32 / 5.0;
        let mut builder = PathBuilder::new();
        for _ in 0..lumps {
            let (x, y) = inside(dice, 0.95 - 0.12 * brightness);
            // The brighter the leaves, the further up and toward the sun they sit.
            let lift = 0.38 * brightness - 0.08;
            let at = (
                centre.0 + radii.0 * (x * (1.0 - 0.3 * brightness) + side * lift * 0.6),
                centre.1 + radii.1 * (y * (1.0 - 0.3 * brightness) + lift),
            );
            let size = lump * dice.between(0.08, 0.19) * (1.15 - 0.45 * brightness);
            push_blob(&mut builder, at, (size * 1.2, size), dice);
        }
        let shade = colour.lit(-0.32 + 0.52 * brightness).varied(0.03, dice);
        canvas.fill(builder.finish(), &Ink::Flat(shade, 0.92));
    }
    for shade in [-0.25, 0.32] {
        let mut builder = PathBuilder::new();
        for _ in 0..70 {
            let (x, y) = inside(dice, 1.04);
            let size = lump * dice.between(0.015, 0.04);
            push_oval(
                &mut builder,
                (centre.0 + radii.0 * x, centre.1 + radii.1 * y),
                (size * 1.4, size),
            );
        }
        canvas.fill(builder.finish(), &Ink::Flat(colour.lit(shade), 0.8));
    }
}

pub(super) fn leafy(
    canvas: &mut Canvas,
    setting: &Setting,
    aspect: f32,
    colour: Colour,
    dice: &mut Dice,
) {
    let stem = if aspect < 0.5 {
        dice.between(0.1, 0.2)
    } else {
        dice.between(0.22, 0.4)
    };
    let bark = hex(dice.pick([0x5c4634, 0x6e5a48, 0x4a3c32, 0x7a7066])).varied(0.03, dice);
    let (tall, side) = ((1.0 - stem) / 2.0, setting.sun_side);
    let wide = tall * aspect;
    trunk(
        canvas,
        stem + tall * 0.7,
        dice.between(0.045, 0.085),
        bark,
        side,
    );
    for _ in 0..4 {
        let foot = stem + tall * dice.between(-0.2, 0.3);
        let tip = (
            dice.between(-0.7, 0.7) * wide,
            stem + tall * dice.between(0.6, 1.2),
        );
        let mut builder = PathBuilder::new();
        builder.move_to(0.0, foot);
        builder.quad_to(tip.0 * 0.5, foot + 0.05, tip.0, tip.1);
        canvas.stroke(builder.finish(), 0.02, &flat(bark.lit(-0.15)));
    }
    foliage(canvas, (0.0, stem + tall), (wide, tall), colour, side, dice);
    if setting.season != Season::Winter && dice.chance(0.12) {
        let fruit = hex(dice.pick([0xc82828, 0xe89020, 0xf4f0ee]));
        let mut builder = PathBuilder::new();
        for _ in 0..26 {
            let (angle, reach) = (dice.between(0.0, TAU), dice.unit().sqrt() * 0.9);
            push_oval(
                &mut builder,
                (
                    wide * reach * angle.cos(),
                    stem + tall + tall * reach * angle.sin(),
                ),
                (0.012, 0.012),
            );
        }
        canvas.fill(builder.finish(), &flat(fruit));
    }
    if setting.snow {
        let mut builder = PathBuilder::new();
        for _ in 0..14 {
            let x = dice.between(-0.8, 0.8);
            push_blob(
                &mut builder,
                (wide * x, stem + tall * (1.0 + (1.0 - x * x).sqrt() * 0.85)),
                (wide * 0.16, tall * 0.07),
                dice,
            );
        }
        canvas.fill(builder.finish(), &Ink::Flat(hex(0xf2f6fa), 0.9));
    }
}

pub(super) fn birch(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let bark = hex(0xe2ded6);
    let leafless = setting.season == Season::Winter;
    trunk(canvas, 0.85, 0.04, bark, setting.sun_side);
    for _ in 0..18 {
        let y = dice.between(0.03, 0.7);
        let x = dice.between(-0.018, 0.008) * (1.0 - y * 0.5);
        canvas.line(
            &[(x, y), (x + dice.between(0.006, 0.014), y)],
            dice.between(0.004, 0.009),
            &flat(hex(0x2c2a28)),
        );
    }
    if leafless {
        let before = canvas.place;
        canvas.place = before.pre_translate(0.0, 0.35).pre_scale(0.5, 0.65);
        bare(canvas, hex(0x8a8078), dice);
        canvas.place = before;
    } else {
        let colour = leaf_colour(setting.season, dice);
        let side = setting.sun_side;
        foliage(canvas, (0.0, 0.8), (0.15, 0.2), colour, side, dice);
        for _ in 0..4 {
            let at = (dice.between(-0.15, 0.15), dice.between(0.5, 0.75));
            foliage(
                canvas,
                at,
                (0.11, 0.1),
                colour.varied(0.04, dice),
                side,
                dice,
            );
        }
    }
}

pub(super) fn conifer(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let code = dice.pick([0x2c5a3a, 0x1f4a34, 0x3e6a3c, 0x4a6e64, 0x36522c]);
    let colour = hex(code).varied(0.04, dice);
    let (foot, half) = (dice.between(0.06, 0.16), dice.between(0.16, 0.3));
    trunk(canvas, 0.6, 0.05, hex(0x503c2c), setting.sun_side);
    let tiers = dice.whole(6, 10);
    for tier in 0..tiers {
        let part = tier as f32 / tiers as f32;
        let low = foot + (0.97 - foot) * part;
        let high = (low + (1.0 - foot) * 2.1 / tiers as f32).min(1.0);
        let reach = half * (1.0 - part).powf(0.85) * dice.between(0.9, 1.1) + 0.012;
        // The lower edge hangs in uneven points.
        let teeth = 9;
        let mut rim = vec![(0.0, high)];
        for tooth in 0..=teeth * 2 {
            let across = 1.0 - tooth as f32 / teeth as f32;
            let hang = if tooth % 2 == 0 { -0.022 } else { 0.012 };
            let sag = 0.05 * (1.0 - across * across);
            rim.push((
                reach * across * dice.between(0.94, 1.06),
                low + hang + dice.between(-0.01, 0.01) - sag + 0.03,
            ));
        }
        let shade = colour.lit(-0.12 + 0.16 * part).varied(0.02, dice);
        let stops = [
            (0.0, shade.lit(0.12)),
            (0.45, shade),
            (1.0, shade.lit(-0.4)),
        ];
        canvas.polygon(&rim, &Ink::Upright(low - 0.05, high, &stops));
        let lit: Vec<(f32, f32)> = rim
            .iter()
            .map(|&(x, y)| {
                if x * setting.sun_side > 0.0 {
                    (x, y)
                } else {
                    (x * 0.1, y)
                }
            })
            .collect();
        canvas.polygon(&lit, &Ink::Flat(colour.lit(0.35), 0.16));
        if setting.snow {
            let cap: Vec<(f32, f32)> = rim
                .iter()
                .map(|&(x, y)| (x * 0.86, high - (high - y) * 0.62))
                .collect();
            canvas.polygon(&cap, &Ink::Flat(hex(0xf4f8fc), 0.88));
        }
    }
}

/// A tree without leaves: limbs that fork eight times, thinner each time.
pub(super) fn bare(canvas: &mut Canvas, bark: Colour, dice: &mut Dice) {
    let mut limbs = vec![(
        0.0_f32,
        0.03_f32,
        PI / 2.0 + dice.between(-0.06, 0.06),
        dice.between(0.2, 0.27),
    )];
    let mut wide = dice.between(0.045, 0.075);
    canvas.polygon(
        &[
            (-wide, -0.005),
            (-wide * 0.45, 0.07),
            (wide * 0.45, 0.07),
            (wide, -0.005),
        ],
        &flat(bark),
    );
    for _ in 0..8 {
        let mut builder = PathBuilder::new();
        let mut next = Vec::new();
        for &(x, y, angle, long) in &limbs {
            let bend = angle + dice.between(-0.25, 0.25);
            let middle = (x + long * 0.5 * bend.cos(), y + long * 0.5 * bend.sin());
            let tip = (x + long * angle.cos(), y + long * angle.sin());
            builder.move_to(x, y);
            builder.quad_to(middle.0, middle.1, tip.0, tip.1);
            let forks = if dice.chance(0.3) { 3 } else { 2 };
            for fork in 0..forks {
                let turn = (fork as f32 - (forks - 1) as f32 / 2.0) * dice.between(0.5, 0.9)
                    + dice.between(-0.15, 0.15);
                // Twigs seek the light.
                let upward = (PI / 2.0 - angle) * 0.08;
                if next.len() < 420 {
                    next.push((
                        tip.0,
                        tip.1,
                        angle + turn + upward,
                        long * dice.between(0.68, 0.86),
                    ));
                }
            }
        }
        canvas.stroke(builder.finish(), wide, &flat(bark));
        wide = (wide * 0.66).max(0.0028);
        limbs = next;
    }
}

pub(super) fn palm(canvas: &mut Canvas, dice: &mut Dice) {
    let bark = hex(dice.pick([0x8a7458, 0x74604a, 0x9a8870]));
    let (lean, top) = (dice.between(-0.22, 0.22), dice.between(0.7, 0.8));
    let spine = |part: f32| (lean * part * part, top * part);
    let wide = dice.between(0.028, 0.04);
    let edge = |side: f32| {
        move |part: f32| {
            let (x, y) = (lean * part * part, top * part);
            (
                x + side * wide * (1.0 - 0.45 * part + 0.8 * (0.12 - part).max(0.0) * 6.0),
                y,
            )
        }
    };
    let mut rim: Vec<(f32, f32)> = (0..=12)
        .map(|step| edge(-1.0)(step as f32 / 12.0))
        .collect();
    rim.extend((0..=12).rev().map(|step| edge(1.0)(step as f32 / 12.0)));
    canvas.polygon(&rim, &flat(bark));
    for step in 1..24 {
        let (x, y) = spine(step as f32 / 24.0);
        canvas.line(
            &[(x - wide * 0.7, y), (x, y - 0.008), (x + wide * 0.7, y)],
            0.005,
            &Ink::Flat(bark.lit(-0.45), 0.7),
        );
    }
    let (x, y) = spine(1.0);
    let green = hex(dice.pick([0x4a863a, 0x3a7240, 0x6a9040, 0x7a8a48])).varied(0.04, dice);
    let fronds = dice.whole(9, 14);
    for frond in 0..fronds {
        let spread = frond as f32 / (fronds - 1) as f32;
        // Alternate sides, the highest last, so that the crown overlaps evenly.
        let side = if frond % 2 == 0 { 1.0 } else { -1.0 };
        let lift = -0.5 + 1.75 * spread + dice.between(-0.12, 0.12);
        let long = dice.between(0.26, 0.36);
        let (away, up) = (lift.cos() * long * side, lift.sin() * long);
        let control = (x + away * 0.55, y + up * 0.6 + 0.1);
        let tip = (x + away * 1.05, y + up * 0.7 - 0.08 * (1.0 - spread));
        let along = |part: f32| {
            let (start, bend, end) = (
                (1.0 - part) * (1.0 - part),
                2.0 * part * (1.0 - part),
                part * part,
            );
            (
                start * x + bend * control.0 + end * tip.0,
                start * y + bend * control.1 + end * tip.1,
            )
        };
        let shade = green.lit(-0.3 + 0.42 * spread);
        let mut builder = PathBuilder::new();
        for leaf in 1..20_u8 {
            let part = f32::from(leaf) / 19.0;
            let (from, to) = (along(part - 0.05), along(part));
            let reach = 0.11 * (PI * part.powf(0.7)).sin().max(0.0) + 0.012;
            for lean in [-1.0, 1.0] {
                let hang = if lean > 0.0 { 0.25 } else { -1.0 };
                let point = (
                    to.0 + side * reach * 0.45,
                    to.1 + reach * hang * dice.between(0.8, 1.1),
                );
                push_polygon(&mut builder, &[from, to, point]);
            }
        }
        canvas.fill(builder.finish(), &flat(shade));
        let mut builder = PathBuilder::new();
        builder.move_to(x, y);
        builder.quad_to(control.0, control.1, tip.0, tip.1);
        canvas.stroke(builder.finish(), 0.006, &flat(shade.lit(0.15)));
    }
    if dice.chance(0.5) {
        for _ in 0..4 {
            canvas.oval(
                (x + dice.between(-0.03, 0.03), y - dice.between(0.0, 0.03)),
                (0.017, 0.019),
                &flat(hex(0x5a422a)),
            );
        }
    }
}
