//! Cars of seven shapes, and a bus.

use std::f32::consts::{PI, TAU};

use super::Dice;
use super::canvas::{Canvas, Colour, Ink, WHITE, flat, hex, rounded};
use super::setting::Setting;

/// A shape of car, seen from its right side: metres, x from tail to nose, y up.
pub(super) struct Body {
    /// Corners with the reach of their rounding.
    pub(super) outline: &'static [(f32, f32, f32)],
    pub(super) windows: &'static [&'static [(f32, f32, f32)]],
    pub(super) wheels: [f32; 2],
    pub(super) radius: f32,
    pub(super) doors: &'static [f32],
    pub(super) length: f32,
    /// The height of the lower edge of the windows.
    pub(super) belt: f32,
    pub(super) roof: f32,
}

#[rustfmt::skip]
pub(super) const SEDAN: Body = Body {
    outline: &[
        (0.12, 0.24, 0.06), (0.00, 0.50, 0.10), (0.05, 0.93, 0.12), (0.78, 0.99, 0.20), (1.36, 1.40, 0.40),
        (2.72, 1.45, 0.50), (3.45, 1.00, 0.25), (4.38, 0.84, 0.35), (4.60, 0.55, 0.15), (4.52, 0.24, 0.06),
    ],
    windows: &[
        &[(0.98, 1.00, 0.05), (1.45, 1.33, 0.10), (2.08, 1.36, 0.04), (2.08, 1.00, 0.04)],
        &[(2.17, 1.00, 0.04), (2.17, 1.36, 0.04), (2.64, 1.36, 0.14), (3.20, 1.00, 0.05)],
    ],
    wheels: [0.92, 3.68], radius: 0.33, doors: &[1.30, 2.12, 3.16], length: 4.6, belt: 0.97, roof: 1.43,
};
#[rustfmt::skip]
pub(super) const HATCHBACK: Body = Body {
    outline: &[
        (0.10, 0.24, 0.06), (0.00, 0.50, 0.10), (0.03, 0.98, 0.15), (0.36, 1.45, 0.22), (2.05, 1.53, 0.60),
        (2.95, 1.03, 0.25), (3.72, 0.86, 0.30), (3.90, 0.55, 0.15), (3.82, 0.24, 0.06),
    ],
    windows: &[
        &[(0.28, 1.03, 0.05), (0.50, 1.38, 0.08), (1.20, 1.43, 0.04), (1.20, 1.02, 0.04)],
        &[(1.29, 1.02, 0.04), (1.29, 1.43, 0.04), (2.00, 1.43, 0.16), (2.66, 1.02, 0.05)],
    ],
    wheels: [0.70, 3.12], radius: 0.31, doors: &[1.25, 2.66], length: 3.9, belt: 1.0, roof: 1.5,
};
#[rustfmt::skip]
pub(super) const ESTATE: Body = Body {
    outline: &[
        (0.10, 0.30, 0.06), (0.00, 0.55, 0.10), (0.04, 1.08, 0.12), (0.26, 1.62, 0.20), (2.65, 1.68, 0.60),
        (3.50, 1.14, 0.25), (4.48, 0.99, 0.35), (4.70, 0.62, 0.15), (4.62, 0.30, 0.06),
    ],
    windows: &[
        &[(0.26, 1.14, 0.05), (0.42, 1.52, 0.08), (1.00, 1.55, 0.04), (1.00, 1.13, 0.04)],
        &[(1.08, 1.13, 0.04), (1.08, 1.55, 0.04), (1.98, 1.57, 0.04), (1.98, 1.13, 0.04)],
        &[(2.07, 1.13, 0.04), (2.07, 1.57, 0.04), (2.58, 1.57, 0.16), (3.22, 1.13, 0.05)],
    ],
    wheels: [0.92, 3.74], radius: 0.38, doors: &[1.04, 2.02, 3.2], length: 4.7, belt: 1.1, roof: 1.64,
};
#[rustfmt::skip]
pub(super) const VAN: Body = Body {
    outline: &[
        (0.06, 0.26, 0.06), (0.00, 0.50, 0.06), (0.02, 1.80, 0.15), (0.20, 2.05, 0.15), (3.25, 2.06, 0.50),
        (4.12, 1.26, 0.25), (4.75, 1.06, 0.25), (4.90, 0.60, 0.12), (4.84, 0.26, 0.06),
    ],
    windows: &[
        &[(3.02, 1.24, 0.05), (3.02, 1.86, 0.05), (3.32, 1.86, 0.12), (3.86, 1.24, 0.05)],
    ],
    wheels: [0.95, 3.95], radius: 0.36, doors: &[1.60, 2.92, 3.9], length: 4.9, belt: 1.2, roof: 2.05,
};
#[rustfmt::skip]
pub(super) const MINIBUS: Body = Body {
    windows: &[
        &[(0.28, 1.24, 0.06), (0.32, 1.84, 0.06), (1.45, 1.86, 0.06), (1.45, 1.24, 0.06)],
        &[(1.58, 1.24, 0.06), (1.58, 1.86, 0.06), (2.88, 1.86, 0.06), (2.88, 1.24, 0.06)],
        &[(3.02, 1.24, 0.05), (3.02, 1.86, 0.05), (3.32, 1.86, 0.12), (3.86, 1.24, 0.05)],
    ],
    ..VAN
};
#[rustfmt::skip]
pub(super) const PICKUP: Body = Body {
    outline: &[
        (0.08, 0.38, 0.05), (0.00, 0.60, 0.06), (0.02, 1.06, 0.05), (2.16, 1.06, 0.02), (2.26, 1.66, 0.15),
        (3.30, 1.70, 0.35), (3.95, 1.13, 0.20), (5.00, 1.01, 0.30), (5.20, 0.65, 0.12), (5.12, 0.36, 0.06),
    ],
    windows: &[
        &[(2.38, 1.13, 0.05), (2.42, 1.56, 0.06), (2.84, 1.58, 0.04), (2.84, 1.13, 0.04)],
        &[(2.93, 1.13, 0.04), (2.93, 1.58, 0.04), (3.26, 1.58, 0.14), (3.74, 1.13, 0.05)],
    ],
    wheels: [1.05, 4.22], radius: 0.41, doors: &[2.2, 2.88, 3.76], length: 5.2, belt: 1.1, roof: 1.68,
};
#[rustfmt::skip]
pub(super) const BEETLE: Body = Body {
    outline: &[
        (0.15, 0.28, 0.10), (0.00, 0.52, 0.20), (0.32, 1.02, 0.45), (0.95, 1.42, 0.50), (1.70, 1.56, 0.60),
        (2.55, 1.40, 0.35), (2.86, 1.00, 0.15), (3.60, 0.95, 0.50), (4.05, 0.55, 0.30), (3.95, 0.28, 0.08),
    ],
    windows: &[
        &[(0.72, 1.02, 0.08), (1.00, 1.30, 0.14), (1.62, 1.42, 0.05), (1.62, 1.02, 0.05)],
        &[(1.71, 1.02, 0.05), (1.71, 1.42, 0.05), (2.38, 1.32, 0.12), (2.62, 1.02, 0.05)],
    ],
    wheels: [0.78, 3.26], radius: 0.33, doors: &[1.66, 2.70], length: 4.05, belt: 0.98, roof: 1.53,
};

pub(super) const PAINTS: [u32; 16] = [
    0xb82322, 0xe2e4e4, 0x24282e, 0x8d969c, 0x1f4c8f, 0x2f6f45, 0xe0b02f, 0x6e1f2c, 0x5d9ac4,
    0xd86a28, 0x778f5a, 0xd9d0b8, 0x4a5058, 0x5f4835, 0x2c7f80, 0x3c5a2e,
];

pub(super) fn car(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let body = dice.pick([
        &SEDAN, &SEDAN, &HATCHBACK, &HATCHBACK, &ESTATE, &ESTATE, &VAN, &MINIBUS, &PICKUP, &BEETLE,
    ]);
    let paint = hex(dice.pick(PAINTS)).varied(0.05, dice);
    canvas.place = canvas.place.pre_translate(-body.length / 2.0, 0.0);
    shadow(canvas, setting, body.length);
    let long = body.length;
    let (low, belt) = (0.24, body.belt);

    // The dark underside between the wheels.
    let [rear, front] = body.wheels;
    canvas.block((rear, front), (0.15, 0.45), &flat(hex(0x161719)));
    let stops = [
        (0.0, paint.lit(-0.45)),
        (0.25, paint.lit(-0.18)),
        (0.5, paint),
        (0.62, paint.lit(0.28)),
        (0.72, paint.lit(0.05)),
        (1.0, paint.lit(0.3)),
    ];
    canvas.fill(rounded(body.outline), &Ink::Upright(low, body.roof, &stops));
    if dice.chance(0.2) {
        let second = hex(dice.pick([0xf0eee6, 0x202226, 0x9a2a24]));
        canvas.block(
            (0.06, long - 0.1),
            (belt - 0.36, belt - 0.26),
            &Ink::Flat(second, 0.9),
        );
    }
    glass(canvas, body, setting, dice);
    let seam = Ink::Flat(paint.lit(-0.6), 0.75);
    for &x in body.doors {
        canvas.line(&[(x, low + 0.12), (x, belt)], 0.018, &seam);
    }
    canvas.line(
        &[(0.5, belt - 0.17), (long - 0.55, belt - 0.22)],
        0.02,
        &Ink::Flat(paint.lit(0.5), 0.6),
    );
    for &x in body.doors.iter().take(2) {
        canvas.block(
            (x + 0.08, x + 0.26),
            (belt - 0.16, belt - 0.11),
            &Ink::Flat(paint.lit(-0.5), 0.9),
        );
    }
    // Sill and bumpers, plain on some cars.
    let trim = if dice.chance(0.5) {
        hex(0x242628)
    } else {
        paint.lit(-0.4)
    };
    canvas.fill(
        rounded(&[
            (0.1, 0.24, 0.03),
            (0.02, 0.42, 0.05),
            (0.4, 0.42, 0.02),
            (0.4, 0.24, 0.02),
        ]),
        &flat(trim),
    );
    canvas.fill(
        rounded(&[
            (long - 0.42, 0.24, 0.02),
            (long - 0.42, 0.42, 0.02),
            (long + 0.02, 0.42, 0.05),
            (long - 0.06, 0.24, 0.03),
        ]),
        &flat(trim),
    );
    canvas.block((0.5, long - 0.5), (0.22, 0.31), &flat(trim));
    lights(canvas, body, setting);
    let rims = dice.fork();
    for x in body.wheels {
        arch(canvas, x, body.radius, paint);
        wheel(canvas, x, body.radius, &mut rims.clone());
    }
    extras_on_car(canvas, body, paint, dice);
}

pub(super) fn shadow(canvas: &mut Canvas, setting: &Setting, long: f32) {
    let dark = if setting.snow { 0.45 } else { 0.75 };
    let lean = -setting.sun_side * 0.15 * canvas.place.sx.signum();
    canvas.soft(
        (long / 2.0 + lean, 0.04),
        (long * 0.62, 0.3),
        hex(0x0c0e12),
        dark,
    );
    canvas.soft((long / 2.0, 0.03), (long * 0.5, 0.12), hex(0x050608), dark);
}

pub(super) fn glass(canvas: &mut Canvas, body: &Body, setting: &Setting, dice: &mut Dice) {
    let (belt, roof) = (body.belt, body.roof);
    let dark = hex(dice.pick([0x1c2630, 0x2a3338, 0x222c2a]));
    let sky = setting.light.sky_bottom.mix(dark, 0.55);
    let driver = dice.chance(0.4);
    for (index, window) in body.windows.iter().enumerate() {
        let rim: Vec<(f32, f32, f32)> = window.to_vec();
        canvas.fill(
            rounded(&rim),
            &Ink::Upright(
                belt,
                roof,
                &[(0.0, dark), (0.55, dark.lit(0.12)), (1.0, sky)],
            ),
        );
        let left = window
            .iter()
            .map(|corner| corner.0)
            .fold(f32::MAX, f32::min);
        let right = window
            .iter()
            .map(|corner| corner.0)
            .fold(f32::MIN, f32::max);
        let wide = right - left;
        if driver && index + 1 == body.windows.len() {
            let x = left + wide * 0.36;
            let coat = hex(dice.pick([0x503030, 0x304060, 0x605848]));
            canvas.oval(
                (x, belt + 0.22),
                (0.09, 0.115),
                &Ink::Flat(hex(0x8a6450), 0.85),
            );
            canvas.fill(
                rounded(&[
                    (x - 0.18, belt + 0.03, 0.0),
                    (x - 0.14, belt + 0.13, 0.08),
                    (x + 0.14, belt + 0.13, 0.08),
                    (x + 0.18, belt + 0.03, 0.0),
                ]),
                &Ink::Flat(coat, 0.85),
            );
        }
        let streak = [
            (left + wide * 0.30, belt + 0.06),
            (left + wide * 0.42, belt + 0.06),
            (left + wide * 0.62, roof - 0.14),
            (left + wide * 0.50, roof - 0.14),
        ];
        canvas.polygon(&streak, &Ink::Flat(WHITE, 0.16));
    }
}

pub(super) fn lights(canvas: &mut Canvas, body: &Body, setting: &Setting) {
    let (long, y) = (body.length, body.belt - 0.32);
    let front = [
        (long - 0.36, y - 0.06, 0.03),
        (long - 0.40, y + 0.10, 0.05),
        (long - 0.13, y + 0.06, 0.04),
        (long - 0.09, y - 0.06, 0.03),
    ];
    canvas.fill(rounded(&front), &flat(hex(0xf6f0d8)));
    let back = [
        (0.03, y - 0.02, 0.02),
        (0.05, y + 0.16, 0.03),
        (0.22, y + 0.16, 0.03),
        (0.17, y - 0.02, 0.02),
    ];
    canvas.fill(rounded(&back), &flat(hex(0xb81c1c)));
    if setting.light.night {
        let tint = std::mem::replace(&mut canvas.tint, WHITE);
        canvas.fill(rounded(&front), &flat(hex(0xfff6d0)));
        canvas.soft((long + 0.5, y), (1.6, 0.5), hex(0xffeeb0), 0.7);
        canvas.soft((0.05, y + 0.06), (0.4, 0.3), hex(0xff3020), 0.8);
        canvas.tint = tint;
    }
}

/// The dark opening above a wheel, cut off where the body ends below.
pub(super) fn arch(canvas: &mut Canvas, x: f32, radius: f32, paint: Colour) {
    let reach = radius * 1.2;
    let rim = |reach: f32| -> Vec<(f32, f32)> {
        (0..=16)
            .map(|step| {
                let angle = PI * step as f32 / 16.0;
                (x + reach * angle.cos(), radius + reach * angle.sin())
            })
            .chain([(x - reach, 0.2), (x + reach, 0.2)])
            .collect()
    };
    canvas.polygon(&rim(reach * 1.08), &flat(paint.lit(-0.35)));
    canvas.polygon(&rim(reach), &flat(hex(0x121315)));
}

pub(super) fn wheel(canvas: &mut Canvas, x: f32, radius: f32, dice: &mut Dice) {
    let centre = (x, radius);
    let disc = |canvas: &mut Canvas, part: f32, colour: Colour| {
        canvas.oval(centre, (radius * part, radius * part), &flat(colour));
    };
    disc(canvas, 1.0, hex(0x1b1c1e));
    disc(canvas, 0.9, hex(0x2b2c2f));
    let metal = hex(dice.pick([0xb8bdc2, 0x9a9fa4, 0xd5d7d8, 0x505458]));
    disc(canvas, 0.66, metal);
    disc(canvas, 0.58, metal.lit(-0.45));
    let spokes = dice.pick([5_u32, 5, 6, 8, 10]);
    let turn = dice.between(0.0, TAU);
    for spoke in 0..spokes {
        let angle = turn + TAU * spoke as f32 / spokes as f32;
        let tip = (
            x + radius * 0.6 * angle.cos(),
            radius + radius * 0.6 * angle.sin(),
        );
        canvas.line(&[centre, tip], radius * 0.9 / spokes as f32, &flat(metal));
    }
    disc(canvas, 0.16, metal.lit(0.3));
}

/// A mirror, and now and then a roof rack, a taxi sign or a load.
pub(super) fn extras_on_car(canvas: &mut Canvas, body: &Body, paint: Colour, dice: &mut Dice) {
    let (belt, roof) = (body.belt, body.roof);
    if let Some(corner) = body.windows.last().and_then(|window| window.last()) {
        canvas.oval(
            (corner.0 - 0.16, belt + 0.09),
            (0.11, 0.07),
            &flat(paint.lit(-0.3)),
        );
    }
    let middle = body
        .windows
        .last()
        .and_then(|window| window.first())
        .map_or(2.0, |corner| corner.0);
    match dice.below(12) {
        0 => {
            canvas.line(
                &[(middle - 0.9, roof + 0.08), (middle + 0.3, roof + 0.08)],
                0.04,
                &flat(hex(0x202224)),
            );
            let load = hex(dice.pick([0x805030, 0x305070, 0xb03028]));
            canvas.block(
                (middle - 0.8, middle + 0.1),
                (roof + 0.1, roof + 0.34),
                &flat(load),
            );
        }
        1 => {
            canvas.block(
                (middle - 0.1, middle + 0.25),
                (roof, roof + 0.16),
                &flat(hex(0xf2d040)),
            );
            canvas.block(
                (middle - 0.02, middle + 0.17),
                (roof + 0.04, roof + 0.11),
                &flat(hex(0x262420)),
            );
        }
        2 | 3 => canvas.line(
            &[(middle - 0.4, roof), (middle - 0.75, roof + 0.4)],
            0.015,
            &flat(hex(0x202020)),
        ),
        _ => {}
    }
}

pub(super) fn bus(canvas: &mut Canvas, setting: &Setting, dice: &mut Dice) {
    let (long, roof) = (10.5, 3.0);
    let paint = hex(dice.pick([0xc03028, 0xe0a830, 0x2a6098, 0xe6e4de, 0x3a7a50]));
    canvas.place = canvas.place.pre_translate(-long / 2.0, 0.0);
    shadow(canvas, setting, long);
    let outline = [
        (0.05, 0.35, 0.1),
        (0.0, roof, 0.25),
        (long - 0.2, roof, 0.35),
        (long, 1.4, 0.3),
        (long, 0.35, 0.12),
    ];
    let stops = [
        (0.0, paint.lit(-0.35)),
        (0.4, paint),
        (0.9, paint.lit(0.1)),
        (1.0, paint.lit(0.35)),
    ];
    canvas.fill(rounded(&outline), &Ink::Upright(0.35, roof, &stops));
    canvas.block((0.1, long - 0.1), (0.95, 1.1), &Ink::Flat(WHITE, 0.7));
    let pane = hex(0x28343e);
    for index in 0..7 {
        let left = 0.35 + 1.33 * index as f32;
        canvas.block(
            (left, left + 1.2),
            (1.4, 2.5),
            &Ink::Upright(1.4, 2.5, &[(0.0, pane), (1.0, pane.lit(0.35))]),
        );
    }
    canvas.fill(
        rounded(&[
            (long - 0.8, 1.2, 0.05),
            (long - 0.8, 2.5, 0.05),
            (long - 0.18, 2.5, 0.1),
            (long - 0.08, 1.2, 0.1),
        ]),
        &flat(pane),
    );
    canvas.block((7.6, 8.5), (0.45, 2.5), &flat(pane.lit(0.1)));
    canvas.line(&[(8.05, 0.45), (8.05, 2.5)], 0.06, &flat(paint.lit(-0.3)));
    for x in [2.2, 9.2] {
        arch(canvas, x, 0.5, paint);
        wheel(canvas, x, 0.5, dice);
    }
}
