//! Scenes as pixels: cars, trees, both or neither, drawn from a seed.
//!
//! A scene is a backdrop (sky, hills, ground, road), clutter (houses, fences,
//! lamps, bushes, a bus) and its subjects, all placed on one ground plane and
//! drawn from far to near. Backdrop and clutter come from the seed alone and
//! never from the [`Scene`], so nothing but the subjects tells scenes apart.
//! At the end the picture is exposed like a photo: blur, tone, vignette, noise.

#![expect(
    clippy::unreadable_literal,
    reason = "colours are written 0xRRGGBB, as everywhere"
)]

mod backdrop;
mod canvas;
mod cars;
mod clutter;
mod setting;
mod things;
mod trees;

use image::{RgbImage, imageops};
use tiny_skia::{Pixmap, Transform};

use backdrop::backdrop;
use canvas::Canvas;
use setting::Setting;
use things::{Kind, clutter, subjects};

/// What a drawing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scene {
    /// One or several cars, and no tree.
    Car,
    /// One or several trees, and no car.
    Tree,
    /// Cars and trees together.
    Both,
    /// Neither a car nor a tree: the backdrop and its clutter alone.
    Neither,
}

impl Scene {
    /// Whether a car is to be seen.
    pub fn has_car(self) -> bool {
        matches!(self, Self::Car | Self::Both)
    }

    /// Whether a tree is to be seen.
    pub fn has_tree(self) -> bool {
        matches!(self, Self::Tree | Self::Both)
    }
}

/// What else a drawing shows, for labels beyond car and tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field answers one yes-or-no question about the picture"
)]
pub struct Extras {
    /// A house stands in the background.
    pub house: bool,
    /// A bus drives by.
    pub bus: bool,
    /// A street light stands somewhere.
    pub street_light: bool,
    /// A traffic sign stands somewhere.
    pub traffic_sign: bool,
    /// At least one of the trees is a palm.
    pub palm_tree: bool,
}

/// Draws a scene as RGB pixels; the same arguments give the same bytes.
///
/// `width` and `height` are in pixels and brought into 16 to 4096.
pub fn draw(scene: Scene, width: u32, height: u32, seed: u64) -> RgbImage {
    draw_with_extras(scene, width, height, seed).0
}

/// Draws like [`draw`] and also says what else got into the picture.
pub fn draw_with_extras(scene: Scene, width: u32, height: u32, seed: u64) -> (RgbImage, Extras) {
    let (width, height) = (width.clamp(16, 4096), height.clamp(16, 4096));
    let mut dice = Dice::new(seed);
    let setting = Setting::new(width as f32, height as f32, &mut dice);
    let mut extras = Extras::default();
    let Some(pixmap) = Pixmap::new(width, height) else {
        return (RgbImage::new(width, height), extras);
    };
    let mut canvas = Canvas {
        pixmap,
        place: Transform::identity(),
        tint: setting.light.tint,
        haze: (setting.light.sky_bottom, 0.0),
    };
    backdrop(&mut canvas, &setting, &mut dice.fork());
    let mut things = clutter(&setting, &mut dice.fork());
    let bus = things.iter().find(|thing| thing.kind == Kind::Bus);
    // No bus hides what the picture is about.
    let behind = bus.map_or(0.0, |bus| bus.y + 1.0);
    things.extend(subjects(scene, &setting, behind, &mut dice.fork()));
    // Far things first; a stable sort keeps equal ones in the order of their making.
    things.sort_by(|left, right| left.y.total_cmp(&right.y));
    for thing in &things {
        thing.draw(&mut canvas, &setting, &mut extras);
    }
    (expose(&canvas.pixmap, &setting, &mut dice), extras)
}

/// A small seeded generator: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// A generator whose throws follow from `seed` alone.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A generator of its own, so that what it is used for shifts nobody else's throws.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.bits())
    }

    /// A number from 0 up to, not including, 1.
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 16_777_216.0
    }

    /// A number from `low` up to `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// A whole number below `count`; 0 when `count` is 0.
    pub(super) fn below(&mut self, count: u32) -> u32 {
        let product = (self.bits() >> 32) * u64::from(count);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// A whole number from `low` to `high`, both included.
    fn whole(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// One of the choices.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        const { assert!(N > 0 && N < 1 << 20, "choices to pick from") };
        let count = u32::try_from(N).unwrap_or(1);
        choices[usize::try_from(self.below(count)).unwrap_or(0)]
    }
}

/// Takes the drawing as a camera would: blur, tone, vignette and sensor noise.
fn expose(pixmap: &Pixmap, setting: &Setting, dice: &mut Dice) -> RgbImage {
    let mut picture = RgbImage::new(pixmap.width(), pixmap.height());
    for (pixel, drawn) in picture.pixels_mut().zip(pixmap.pixels()) {
        pixel.0 = [drawn.red(), drawn.green(), drawn.blue()];
    }
    if dice.chance(0.25) {
        let most = if dice.chance(0.2) { 1.9 } else { 1.1 };
        picture = imageops::fast_blur(&picture, dice.between(0.5, most) * setting.height / 400.0);
    }
    let gain = dice.between(0.82, 1.22);
    let warmth = dice.between(-0.06, 0.06);
    let contrast = dice.between(0.8, 1.15);
    let vignette = if dice.chance(0.4) {
        dice.between(0.1, 0.4)
    } else {
        0.0
    };
    let noise =
        dice.between(0.0, 1.0).powi(2) * if setting.light.night { 16.0 } else { 10.0 } / 105.0;
    let gains = [1.0 + warmth, 1.0, 1.0 - warmth].map(|tint| tint * gain * contrast);
    let (middle_x, middle_y) = (setting.width / 2.0, setting.height / 2.0);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (across, down) = (x as f32 / middle_x - 1.0, y as f32 / middle_y - 1.0);
        let dim = 1.0 - vignette * 0.5 * (across * across + down * down);
        // The sum of two bytes is near enough to normal; it has a mean of 255 and
        // a standard deviation of about 105.
        let bits = dice.bits();
        let grain = |shift: u32| {
            let sum = ((bits >> shift) & 255) + ((bits >> (shift + 8)) & 255);
            (sum as f32 - 255.0) * noise
        };
        let shared = grain(0) * 0.7 - 118.0 * contrast + 118.0;
        let own = [grain(16), grain(32), grain(48)];
        for ((channel, gain), own) in pixel.0.iter_mut().zip(gains).zip(own) {
            *channel = byte(f32::from(*channel) * gain * dim + shared + own * 0.6);
        }
    }
    picture
}

/// The nearest whole number of 0 to 255.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a byte"
)]
fn byte(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENES: [Scene; 4] = [Scene::Car, Scene::Tree, Scene::Both, Scene::Neither];

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for (scene, seed) in SCENES.into_iter().zip(20..) {
            let first = draw(scene, 200, 150, seed);
            assert_eq!(first.dimensions(), (200, 150));
            assert!(first == draw(scene, 200, 150, seed));
            assert!(first != draw(scene, 200, 150, seed + 1));
        }
    }

    #[test]
    fn scenes_share_their_backdrop_and_nothing_else() {
        for seed in 0..12 {
            let empty = draw(Scene::Neither, 160, 120, seed);
            for scene in [Scene::Car, Scene::Tree, Scene::Both] {
                let changed = |(drawn, empty): (&image::Rgb<u8>, &image::Rgb<u8>)| {
                    drawn
                        .0
                        .iter()
                        .zip(empty.0)
                        .any(|(drawn, empty)| drawn.abs_diff(empty) > 12)
                };
                let pixels = draw(scene, 160, 120, seed);
                let count = pixels
                    .pixels()
                    .zip(empty.pixels())
                    .filter(|pair| changed(*pair))
                    .count();
                assert!(
                    count > 160 * 120 / 200,
                    "{scene:?} {seed}: nothing to be seen"
                );
                assert!(
                    count < 160 * 120 * 9 / 10,
                    "{scene:?} {seed}: no backdrop left"
                );
            }
        }
    }

    #[test]
    fn any_size_can_be_drawn() {
        for (width, height) in [(0, 0), (16, 900), (900, 16), (33, 57)] {
            for scene in SCENES {
                let drawn = draw(scene, width, height, 4);
                assert_eq!(drawn.dimensions(), (width.max(16), height.max(16)));
            }
        }
    }
}
