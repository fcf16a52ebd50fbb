//! What stands on the ground, and where.

use tiny_skia::Transform;

use super::canvas::Canvas;
use super::cars::{bus, car};
use super::clutter::{bale, bench, bush, facade, fence, house, poles, sign, street_light};
use super::setting::{Setting, Surroundings};
use super::trees::{TreeKind, tree};
use super::{Dice, Extras, Scene};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// With its size as a factor on metres.
    Car(f32),
    /// With its height in pixels.
    Tree(f32, TreeKind),
    Bus,
    House,
    Facade,
    StreetLight,
    Bush,
    /// With its height as a factor on metres.
    Fence(f32),
    Sign,
    Bench,
    Bale,
    Pole,
}

/// Something that stands on the ground at a place of the picture.
pub(super) struct Thing {
    pub(super) kind: Kind,
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) dice: Dice,
}

impl Thing {
    pub(super) fn new(kind: Kind, x: f32, y: f32, dice: &mut Dice) -> Self {
        let dice = dice.fork();
        Self { kind, x, y, dice }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, setting: &Setting, extras: &mut Extras) {
        let mut dice = self.dice.clone();
        let dice = &mut dice;
        let metre = setting.metre(self.y);
        let far = 1.0 - setting.nearness(self.y);
        canvas.haze.1 = (far * far * setting.light.haze).clamp(0.0, 0.8);
        let upright = |scale: f32| Transform::from_row(scale, 0.0, 0.0, -scale, self.x, self.y);
        canvas.place = upright(metre);
        match self.kind {
            Kind::Car(size) => {
                let facing = dice.pick([-1.0, 1.0]);
                canvas.place = upright(metre * size)
                    .pre_concat(Transform::from_rotate(dice.between(-1.2, 1.2)))
                    .pre_scale(facing * dice.between(0.94, 1.08), dice.between(0.95, 1.1));
                car(canvas, setting, dice);
            }
            Kind::Tree(tall, kind) => {
                canvas.place =
                    upright(tall).pre_concat(Transform::from_rotate(dice.between(-3.0, 3.0)));
                extras.palm_tree |= kind == TreeKind::Palm;
                tree(canvas, setting, kind, dice);
            }
            Kind::Bus => {
                extras.bus = true;
                canvas.place = canvas.place.pre_scale(dice.pick([-1.0, 1.0]), 1.0);
                bus(canvas, setting, dice);
            }
            Kind::House => {
                extras.house = true;
                house(canvas, setting, dice);
            }
            Kind::Facade => facade(canvas, setting, dice),
            Kind::StreetLight => {
                extras.street_light = true;
                canvas.place = canvas.place.pre_scale(dice.pick([-1.0, 1.0]), 1.0);
                street_light(canvas, setting, dice);
            }
            Kind::Bush => bush(canvas, setting, dice),
            Kind::Fence(size) => {
                let metre = metre * size;
                canvas.place = Transform::from_row(metre, 0.0, 0.0, -metre, 0.0, self.y);
                fence(canvas, setting, setting.width / metre, dice);
            }
            Kind::Sign => {
                extras.traffic_sign = true;
                sign(canvas, dice);
            }
            Kind::Bench => bench(canvas, dice),
            Kind::Bale => bale(canvas, dice),
            Kind::Pole => {
                canvas.place = Transform::from_row(metre, 0.0, 0.0, -metre, 0.0, self.y);
                poles(canvas, setting.width / metre, dice);
            }
        }
        canvas.place = Transform::identity();
        canvas.haze.1 = 0.0;
    }
}

/// What stands around in any scene.
pub(super) fn clutter(setting: &Setting, dice: &mut Dice) -> Vec<Thing> {
    let (width, height, horizon) = (setting.width, setting.height, setting.horizon);
    let below = height - horizon;
    let row = horizon + below * dice.between(0.14, 0.26);
    let mut things = Vec::new();
    let mut put = |kind: Kind, x: f32, y: f32, dice: &mut Dice| {
        things.push(Thing::new(kind, x * width, y, dice));
    };
    match setting.surroundings {
        Surroundings::Town => {
            if dice.chance(0.75) {
                let step = setting.metre(row) * 11.0;
                let mut x = -dice.between(0.0, 1.0) * step;
                while x < width + step {
                    if dice.chance(0.85) {
                        put(Kind::Facade, x / width, row, dice);
                    }
                    x += step * dice.between(0.9, 1.1);
                }
            }
        }
        Surroundings::Suburb => {
            for _ in 0..dice.whole(1, 3) {
                let y = row + below * dice.between(-0.04, 0.06);
                put(Kind::House, dice.between(0.0, 1.0), y, dice);
            }
        }
        Surroundings::Country => {
            if dice.chance(0.4) {
                put(Kind::House, dice.between(0.1, 0.9), row, dice);
            }
            if dice.chance(0.35) {
                put(Kind::Pole, 0.0, row - below * 0.04, dice);
            }
            for _ in 0..dice.below(4) {
                let y = horizon + below * dice.between(0.15, 0.5);
                if dice.chance(0.5) {
                    put(Kind::Bale, dice.between(0.0, 1.0), y, dice);
                }
            }
        }
        Surroundings::Coast => {
            if dice.chance(0.3) {
                put(Kind::House, dice.between(0.1, 0.9), row, dice);
            }
        }
    }
    if dice.chance(0.35) {
        put(
            Kind::Fence(1.0),
            0.0,
            row + below * dice.between(0.03, 0.1),
            dice,
        );
    }
    if dice.chance(0.07) {
        // Near the eye, before everything.
        let size = height * 0.17 / setting.metre(height);
        put(Kind::Fence(size), 0.0, height * 1.02, dice);
    }
    if dice.chance(0.45) {
        for _ in 0..dice.whole(1, 4) {
            let y = horizon + below * dice.between(0.2, 0.5);
            put(Kind::Bush, dice.between(0.0, 1.0), y, dice);
        }
    }
    let verge = setting
        .road
        .map_or(horizon + below * 0.4, |(top, _)| top - below * 0.05);
    if dice.chance(0.35) {
        for _ in 0..dice.whole(1, 2) {
            put(Kind::StreetLight, dice.between(0.05, 0.95), verge, dice);
        }
    }
    if dice.chance(0.3) {
        put(Kind::Sign, dice.between(0.05, 0.95), verge, dice);
    }
    if dice.chance(0.2) {
        put(
            Kind::Bench,
            dice.between(0.1, 0.9),
            verge - below * 0.02,
            dice,
        );
    }
    if let Some((top, bottom)) = setting.road
        && dice.chance(0.09)
    {
        let y = top + (bottom - top) * dice.between(0.2, 0.34);
        put(Kind::Bus, dice.between(0.1, 0.9), y, dice);
    }
    things
}

/// The cars and trees that a scene is about; the foremost stand before `behind`.
pub(super) fn subjects(
    scene: Scene,
    setting: &Setting,
    behind: f32,
    dice: &mut Dice,
) -> Vec<Thing> {
    let (width, height, horizon) = (setting.width, setting.height, setting.horizon);
    let below = height - horizon;
    let mut things = Vec::new();
    let mut main_car = None;
    if scene.has_car() {
        let lane = |dice: &mut Dice| match setting.road {
            Some((top, bottom)) if dice.chance(0.8) => {
                top + (bottom - top) * dice.pick([0.38, 0.86]) + below * dice.between(-0.01, 0.02)
            }
            _ => horizon + below * dice.between(0.55, 0.92),
        };
        let y = lane(dice).max(behind);
        let metre = setting.metre(y);
        // A car of about 4.5 metres fills at least a quarter of the picture, and
        // is cut off when it does not fit.
        let room = if scene == Scene::Both { 0.65 } else { 1.1 };
        let least = if dice.chance(0.1) { 0.16 } else { 0.3 };
        let long = (4.5 * metre * dice.between(0.85, 1.15)).clamp(least * width, room * width);
        let size = long / (4.5 * metre);
        let margin = if dice.chance(0.25) { 0.12 } else { 0.5 };
        let (low, high) = (margin * long, width - margin * long);
        let x = if low < high {
            dice.between(low, high)
        } else {
            width * dice.between(0.42, 0.58)
        };
        things.push(Thing::new(Kind::Car(size), x, y, dice));
        main_car = Some((x, y, long));
        if dice.chance(0.35) {
            for _ in 0..dice.whole(1, 2) {
                let y = lane(dice).min(y) - below * dice.between(0.02, 0.15);
                let x = dice.between(0.0, width);
                things.push(Thing::new(Kind::Car(size), x, y, dice));
            }
        }
    }
    if scene.has_tree() {
        let count = if dice.chance(0.5) {
            1
        } else {
            dice.whole(2, 6)
        };
        let wood = TreeKind::new(setting, dice);
        for index in 0..count {
            let kind = if dice.chance(0.7) {
                wood
            } else {
                TreeKind::new(setting, dice)
            };
            let grown = dice.between(4.0, 10.0);
            let thing = if let Some((x, y, long)) = main_car {
                let front = dice.chance(0.2);
                let foot = if front {
                    (y + below * dice.between(0.02, 0.1)).min(height)
                } else {
                    beside_road(
                        setting,
                        horizon + (y - horizon) * dice.between(0.35, 0.85),
                        y,
                    )
                };
                let side = if front {
                    x + dice.pick([-1.0, 1.0]) * long * dice.between(0.4, 0.65)
                } else {
                    dice.between(0.05, 0.95) * width
                };
                // Its crown rises above the car.
                let least = foot - y + long * 0.33 + height * 0.28;
                let tall =
                    (grown * setting.metre(foot)).clamp(least, foot.max(least) * kind.headroom());
                Thing::new(
                    Kind::Tree(tall, kind),
                    side.clamp(0.04 * width, 0.96 * width),
                    foot,
                    dice,
                )
            } else {
                let foot = beside_road(
                    setting,
                    horizon + below * dice.between(0.25, 0.95),
                    setting.height,
                );
                let foot = if index == 0 { foot.max(behind) } else { foot };
                let least = if index == 0 && !dice.chance(0.1) {
                    0.4
                } else {
                    0.2
                };
                let tall =
                    (grown * setting.metre(foot)).clamp(least * height, foot * kind.headroom());
                let x = dice.between(0.08, 0.92) * width;
                Thing::new(Kind::Tree(tall, kind), x, foot, dice)
            };
            things.push(thing);
        }
    }
    things
}

/// The place, or an edge of the road when it lies on the road: the nearer one, but
/// none that lies before `limit`.
pub(super) fn beside_road(setting: &Setting, y: f32, limit: f32) -> f32 {
    match setting.road {
        Some((top, bottom)) if y > top && y < bottom => {
            let verge = (bottom - top) * 0.14;
            if y - top < bottom - y || bottom + verge > limit {
                top - verge
            } else {
                bottom + verge
            }
        }
        _ => y,
    }
}
