//! Colours, inks and the canvas that takes them.

use std::f32::consts::TAU;

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LinearGradient, Paint, Path, PathBuilder, Pixmap,
    Point, RadialGradient, Rect, Shader, SpreadMode, Stroke, Transform,
};

use super::Dice;

/// Red, green and blue, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colour(pub(super) f32, pub(super) f32, pub(super) f32);

/// The colour of `0xRRGGBB`.
pub(super) const fn hex(code: u32) -> Colour {
    Colour(
        ((code >> 16) & 255) as f32 / 255.0,
        ((code >> 8) & 255) as f32 / 255.0,
        (code & 255) as f32 / 255.0,
    )
}

pub(super) const WHITE: Colour = Colour(1.0, 1.0, 1.0);
pub(super) const BLACK: Colour = Colour(0.0, 0.0, 0.0);

impl Colour {
    /// The colour `part` of the way from this one to another.
    pub(super) fn mix(self, other: Self, part: f32) -> Self {
        let blend = |from: f32, to: f32| from + (to - from) * part;
        Self(
            blend(self.0, other.0),
            blend(self.1, other.1),
            blend(self.2, other.2),
        )
    }

    /// Lighter for a positive `amount` (up to 1: white), darker for a negative one.
    pub(super) fn lit(self, amount: f32) -> Self {
        if amount < 0.0 {
            self.mix(BLACK, -amount)
        } else {
            self.mix(WHITE, amount)
        }
    }

    /// Each channel moved by up to `spread`.
    pub(super) fn varied(self, spread: f32, dice: &mut Dice) -> Self {
        let mut shift = |channel: f32| (channel + dice.between(-spread, spread)).clamp(0.0, 1.0);
        Self(shift(self.0), shift(self.1), shift(self.2))
    }
}

/// A way to fill a path; coordinates are the path's own.
pub(super) enum Ink<'a> {
    /// One colour and its opacity.
    Flat(Colour, f32),
    /// A gradient along y from the first height to the second.
    Upright(f32, f32, &'a [(f32, Colour)]),
    /// A disc around a centre that fades from an opacity to nothing.
    Glow((f32, f32), f32, Colour, f32),
}

/// A solid colour.
pub(super) fn flat(colour: Colour) -> Ink<'static> {
    Ink::Flat(colour, 1.0)
}

/// The picture in the making, with the current coordinates and light.
pub(super) struct Canvas {
    pub(super) pixmap: Pixmap,
    pub(super) place: Transform,
    /// Multiplies every colour: the light of the hour.
    pub(super) tint: Colour,
    /// The colour of the air, and how much of it lies before what is drawn.
    pub(super) haze: (Colour, f32),
}

impl Canvas {
    /// A colour as light and air let it look.
    pub(super) fn seen(&self, colour: Colour, opacity: f32) -> Color {
        let lit = Colour(
            colour.0 * self.tint.0,
            colour.1 * self.tint.1,
            colour.2 * self.tint.2,
        )
        .mix(self.haze.0, self.haze.1);
        let within = |channel: f32| channel.clamp(0.0, 1.0);
        Color::from_rgba(within(lit.0), within(lit.1), within(lit.2), within(opacity))
            .unwrap_or(Color::BLACK)
    }

    pub(super) fn paint(&self, ink: &Ink<'_>) -> Paint<'static> {
        let point = Point::from_xy;
        let shader = match *ink {
            Ink::Flat(colour, opacity) => Some(Shader::SolidColor(self.seen(colour, opacity))),
            Ink::Upright(from, to, stops) => LinearGradient::new(
                point(0.0, from),
                point(0.0, to),
                stops
                    .iter()
                    .map(|&(at, colour)| GradientStop::new(at, self.seen(colour, 1.0)))
                    .collect(),
                SpreadMode::Pad,
                Transform::identity(),
            ),
            Ink::Glow((x, y), radius, colour, opacity) => RadialGradient::new(
                point(x, y),
                point(x, y),
                radius,
                vec![
                    GradientStop::new(0.0, self.seen(colour, opacity)),
                    GradientStop::new(1.0, self.seen(colour, 0.0)),
                ],
                SpreadMode::Pad,
                Transform::identity(),
            ),
        };
        Paint {
            shader: shader.unwrap_or(Shader::SolidColor(Color::TRANSPARENT)),
            anti_alias: true,
            ..Paint::default()
        }
    }

    pub(super) fn fill(&mut self, path: Option<Path>, ink: &Ink<'_>) {
        if let Some(path) = path {
            let paint = self.paint(ink);
            self.pixmap
                .fill_path(&path, &paint, FillRule::Winding, self.place, None);
        }
    }

    pub(super) fn stroke(&mut self, path: Option<Path>, width: f32, ink: &Ink<'_>) {
        if let Some(path) = path {
            let paint = self.paint(ink);
            let stroke = Stroke {
                width,
                line_cap: LineCap::Round,
                ..Stroke::default()
            };
            self.pixmap
                .stroke_path(&path, &paint, &stroke, self.place, None);
        }
    }

    pub(super) fn polygon(&mut self, points: &[(f32, f32)], ink: &Ink<'_>) {
        self.fill(closed(points), ink);
    }

    pub(super) fn line(&mut self, points: &[(f32, f32)], width: f32, ink: &Ink<'_>) {
        let mut builder = PathBuilder::new();
        for (index, &(x, y)) in points.iter().enumerate() {
            if index == 0 {
                builder.move_to(x, y);
            } else {
                builder.line_to(x, y);
            }
        }
        self.stroke(builder.finish(), width, ink);
    }

    /// A rectangle between two heights and two sides, in any order.
    pub(super) fn block(&mut self, sides: (f32, f32), heights: (f32, f32), ink: &Ink<'_>) {
        let ((left, right), (low, high)) = (sides, heights);
        self.polygon(
            &[(left, low), (right, low), (right, high), (left, high)],
            ink,
        );
    }

    pub(super) fn oval(&mut self, centre: (f32, f32), radii: (f32, f32), ink: &Ink<'_>) {
        let mut builder = PathBuilder::new();
        push_oval(&mut builder, centre, radii);
        self.fill(builder.finish(), ink);
    }

    /// An oval whose edge fades out: shadows, patches, lights.
    pub(super) fn soft(
        &mut self,
        centre: (f32, f32),
        radii: (f32, f32),
        colour: Colour,
        opacity: f32,
    ) {
        let before = self.place;
        self.place = before
            .pre_translate(centre.0, centre.1)
            .pre_scale(radii.0, radii.1);
        self.oval(
            (0.0, 0.0),
            (1.0, 1.0),
            &Ink::Glow((0.0, 0.0), 1.0, colour, opacity),
        );
        self.place = before;
    }
}

pub(super) fn push_oval(builder: &mut PathBuilder, centre: (f32, f32), radii: (f32, f32)) {
    let (x, y) = (radii.0.abs(), radii.1.abs());
    if let Some(frame) = Rect::from_xywh(centre.0 - x, centre.1 - y, 2.0 * x, 2.0 * y) {
        builder.push_oval(frame);
    }
}

pub(super) fn push_polygon(builder: &mut PathBuilder, points: &[(f32, f32)]) {
    for (index, &(x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(x, y);
        } else {
            builder.line_to(x, y);
        }
    }
    builder.close();
}

pub(super) fn closed(points: &[(f32, f32)]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    push_polygon(&mut builder, points);
    builder.finish()
}

/// A closed outline whose corners `(x, y, reach)` are rounded off over `reach`.
pub(super) fn rounded(corners: &[(f32, f32, f32)]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let before = corners.iter().cycle().skip(corners.len().saturating_sub(1));
    let after = corners.iter().cycle().skip(1);
    for (index, ((corner, before), after)) in corners.iter().zip(before).zip(after).enumerate() {
        let toward = |other: &(f32, f32, f32)| {
            let (x, y) = (other.0 - corner.0, other.1 - corner.1);
            let distance = x.hypot(y).max(1e-6);
            let part = (corner.2 / distance).min(0.5);
            (corner.0 + x * part, corner.1 + y * part)
        };
        let (enter, leave) = (toward(before), toward(after));
        if index == 0 {
            builder.move_to(enter.0, enter.1);
        } else {
            builder.line_to(enter.0, enter.1);
        }
        builder.quad_to(corner.0, corner.1, leave.0, leave.1);
    }
    builder.close();
    builder.finish()
}

/// An uneven blob around a centre.
pub(super) fn push_blob(
    builder: &mut PathBuilder,
    centre: (f32, f32),
    radii: (f32, f32),
    dice: &mut Dice,
) {
    let count = dice.whole(8, 12);
    let turn = dice.between(0.0, TAU);
    let points: Vec<(f32, f32)> = (0..count)
        .map(|index| {
            let angle = turn + TAU * index as f32 / count as f32;
            let reach = dice.between(0.78, 1.18);
            (
                centre.0 + radii.0 * reach * angle.cos(),
                centre.1 + radii.1 * reach * angle.sin(),
            )
        })
        .collect();
    // Quadratic curves through the middles of the sides make it round.
    let middle = |from: (f32, f32), to: (f32, f32)| (from.0.midpoint(to.0), from.1.midpoint(to.1));
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else {
        return;
    };
    let start = middle(last, first);
    builder.move_to(start.0, start.1);
    for (index, &point) in points.iter().enumerate() {
        let next = points.get(index + 1).copied().unwrap_or(first);
        let end = middle(point, next);
        builder.quad_to(point.0, point.1, end.0, end.1);
    }
    builder.close();
}
