//! Where and when a scene plays: season, light, ground plane.

use super::Dice;
use super::canvas::{Colour, hex};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Season {
    Spring,
    Summer,
    Autumn,
    Winter,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Surroundings {
    Town,
    Suburb,
    Country,
    Coast,
}

/// The hour and the weather.
pub(super) struct Light {
    pub(super) sky_top: Colour,
    pub(super) sky_bottom: Colour,
    pub(super) tint: Colour,
    /// How thick the air is, 0 to 1.
    pub(super) haze: f32,
    pub(super) cloudy: f32,
    pub(super) night: bool,
}

impl Light {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let (top, bottom, tint, haze, cloudy) = match dice.below(20) {
            0..=6 => (0x2f7fd0, 0xc4e2f5, Colour(1.0, 1.0, 0.97), 0.25, 0.6),
            7..=9 => (0x7fb2e2, 0xeef4f8, Colour(0.98, 0.98, 0.98), 0.3, 0.8),
            10 | 11 => (0x8f9ca6, 0xd3d9dc, Colour(0.84, 0.86, 0.88), 0.4, 1.0),
            12..=14 => (0x5a80ba, 0xf8d29c, Colour(1.04, 0.92, 0.76), 0.3, 0.5),
            15 | 16 => (0x3d4078, 0xee906a, Colour(0.78, 0.62, 0.66), 0.35, 0.6),
            17 => (0x0d1430, 0x344068, Colour(0.34, 0.38, 0.52), 0.3, 0.3),
            18 => (0xc2c9cd, 0xe2e5e5, Colour(0.92, 0.93, 0.94), 0.8, 0.0),
            _ => (0x439fa8, 0xf4ecc8, Colour(1.0, 0.98, 0.9), 0.3, 0.4),
        };
        Self {
            sky_top: hex(top).varied(0.06, dice),
            sky_bottom: hex(bottom).varied(0.05, dice),
            tint,
            haze: haze * dice.between(0.5, 1.2),
            cloudy,
            night: tint.0 < 0.5,
        }
    }
}

/// Where and when a scene plays. Lengths are pixels, y grows downwards.
pub(super) struct Setting {
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) horizon: f32,
    /// Height of the eye above the ground in metres; sets all scales.
    pub(super) eye: f32,
    pub(super) season: Season,
    pub(super) snow: bool,
    pub(super) surroundings: Surroundings,
    pub(super) light: Light,
    /// The far and the near edge of a road across the picture.
    pub(super) road: Option<(f32, f32)>,
    /// Where the sun stands: 1 right, -1 left.
    pub(super) sun_side: f32,
}

impl Setting {
    pub(super) fn new(width: f32, height: f32, dice: &mut Dice) -> Self {
        let horizon = height * dice.between(0.36, 0.6);
        let below = height - horizon;
        let season = dice.pick([
            Season::Spring,
            Season::Summer,
            Season::Summer,
            Season::Autumn,
            Season::Winter,
        ]);
        let surroundings = dice.pick([
            Surroundings::Town,
            Surroundings::Suburb,
            Surroundings::Suburb,
            Surroundings::Country,
            Surroundings::Country,
            Surroundings::Coast,
        ]);
        let road = dice.chance(0.65).then(|| {
            let top = horizon + below * dice.between(0.3, 0.55);
            (top, top + below * dice.between(0.25, 0.45))
        });
        Self {
            width,
            height,
            horizon,
            eye: dice.between(1.5, 3.4) * (height / width * 1.15).max(0.85),
            season,
            snow: season == Season::Winter && dice.chance(0.6),
            surroundings,
            light: Light::new(dice),
            road,
            sun_side: dice.pick([-1.0, 1.0]),
        }
    }

    /// Pixels in a metre for something that stands at this height of the picture.
    pub(super) fn metre(&self, y: f32) -> f32 {
        (y - self.horizon).max(self.height * 0.01) / self.eye
    }

    /// How near a place on the ground is: 0 at the horizon, 1 at the lower edge.
    pub(super) fn nearness(&self, y: f32) -> f32 {
        ((y - self.horizon) / (self.height - self.horizon)).clamp(0.0, 1.0)
    }

    pub(super) fn ground(&self, dice: &mut Dice) -> Colour {
        let code = match (self.surroundings, self.season) {
            _ if self.snow => 0xe4eaf0,
            (Surroundings::Coast, _) => 0xdcc895,
            (Surroundings::Town, _) => dice.pick([0xb0aca4, 0xa0a2a0, 0xc0b4a2, 0x8fa866]),
            (_, Season::Spring) => dice.pick([0x84b250, 0x9cbd62]),
            (_, Season::Summer) => dice.pick([0x789c48, 0x94a858, 0xc4b26a, 0xb59a6e]),
            (_, Season::Autumn) => dice.pick([0xa89a52, 0x967f4c, 0x8f9350]),
            (_, Season::Winter) => dice.pick([0x8c8560, 0x9a8f78]),
        };
        hex(code).varied(0.05, dice)
    }
}
