//! What each file is to be, decided before anything is drawn.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;

use crate::demo::drawing::{Dice, Scene};

/// The sub-folder of `images` for photos that came from elsewhere.
pub(super) const PHONE: &str = "phone";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Encoding {
    Jpeg {
        quality: u8,
        grey: bool,
        orientation: Orientation,
    },
    Png {
        alpha: bool,
    },
    WebP,
    Gif,
    Bmp,
}

/// How a file is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Flaw {
    CutOff,
    Text,
    Empty,
    Damaged,
    Html,
}

const FLAWS: [Flaw; 5] = [
    Flaw::CutOff,
    Flaw::Text,
    Flaw::Empty,
    Flaw::Damaged,
    Flaw::Html,
];

/// One file to be, decided before anything is drawn.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field answers one yes-or-no question about the file"
)]
pub(super) struct Plan {
    pub(super) id: String,
    pub(super) in_phone: bool,
    pub(super) scene: Scene,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) seed: u64,
    pub(super) encoding: Encoding,
    pub(super) flaw: Option<Flaw>,
    /// Shares its id with the plan before it, whose smaller copy it is.
    pub(super) copy: bool,
    pub(super) unlabelled: bool,
    pub(super) wrong: bool,
}

impl Plan {
    pub(super) fn new(id: String, dice: &mut Dice) -> Self {
        let scene = match dice.below(25) {
            0..=8 => Scene::Car,
            9..=17 => Scene::Tree,
            18..=20 => Scene::Both,
            _ => Scene::Neither,
        };
        let small = dice.chance(0.4);
        let long = if small {
            200 + dice.below(200)
        } else {
            360 + dice.below(441)
        };
        let (over, under) = dice.pick([(3, 4), (3, 4), (2, 3), (2, 3), (9, 16), (1, 1)]);
        let short = (long * over / under).max(160);
        let (width, height) = if dice.chance(0.3) {
            (short, long)
        } else {
            (long, short)
        };
        let encoding = match dice.below(100) {
            0..=7 => Encoding::Png {
                alpha: dice.chance(0.35),
            },
            8..=11 => Encoding::WebP,
            12..=14 => Encoding::Gif,
            15..=17 => Encoding::Bmp,
            _ => Encoding::jpeg(dice),
        };
        // These formats are for small pictures.
        let (width, height) = match encoding {
            Encoding::Gif | Encoding::Bmp if width.max(height) > 400 => (width / 2, height / 2),
            _ => (width, height),
        };
        Self {
            id,
            in_phone: dice.chance(0.15),
            scene,
            width: width.max(160),
            height: height.max(160),
            seed: dice.bits(),
            encoding,
            flaw: None,
            copy: false,
            unlabelled: false,
            wrong: false,
        }
    }

    pub(super) fn orientation(&self) -> Orientation {
        match self.encoding {
            Encoding::Jpeg { orientation, .. } => orientation,
            _ => Orientation::NoTransforms,
        }
    }

    fn file_name(&self) -> String {
        let extension = match self.encoding {
            Encoding::Jpeg { .. } => "jpg",
            Encoding::Png { .. } => "png",
            Encoding::WebP => "webp",
            Encoding::Gif => "gif",
            Encoding::Bmp => "bmp",
        };
        format!("{}.{extension}", self.id)
    }

    pub(super) fn path(&self, images: &Path) -> PathBuf {
        if self.in_phone {
            images.join(PHONE).join(self.file_name())
        } else {
            images.join(self.file_name())
        }
    }

    /// What the labels say that the photo shows.
    pub(super) fn labelled_scene(&self) -> Scene {
        match (self.wrong, self.scene) {
            (false, scene) => scene,
            (true, Scene::Car | Scene::Both) => Scene::Tree,
            (true, Scene::Tree | Scene::Neither) => Scene::Car,
        }
    }
}

impl Encoding {
    fn jpeg(dice: &mut Dice) -> Self {
        let turns = [
            Orientation::Rotate180,
            Orientation::Rotate90,
            Orientation::Rotate270,
        ];
        Self::Jpeg {
            quality: u8::try_from(55 + dice.below(41)).unwrap_or(75),
            grey: dice.chance(0.06),
            orientation: if dice.chance(0.12) {
                dice.pick(turns)
            } else {
                Orientation::NoTransforms
            },
        }
    }
}

/// Decides on every file, in the order of their ids.
pub(super) fn plan(pictures: usize, dice: &mut Dice) -> Vec<Plan> {
    let copies = usize::from(pictures >= 12);
    let mut ids = BTreeSet::new();
    while ids.len() < pictures.saturating_sub(copies) {
        ids.insert(format!("{:016x}", dice.bits()));
    }
    let mut plans: Vec<Plan> = ids.into_iter().map(|id| Plan::new(id, dice)).collect();
    // Ids are random, so the files with a fault may stand in a regular order.
    let broken = FLAWS.len().min(pictures / 8);
    let step = plans.len().max(1) / (broken + 1);
    for (index, flaw) in FLAWS.into_iter().take(broken).enumerate() {
        if let Some(plan) = plans.get_mut((index + 1) * step) {
            plan.flaw = Some(flaw);
            plan.encoding = match flaw {
                Flaw::Damaged => Encoding::Png { alpha: false },
                _ => Encoding::Jpeg {
                    quality: 85,
                    grey: false,
                    orientation: Orientation::NoTransforms,
                },
            };
        }
    }
    let unlabelled = (pictures / 20).min(3);
    let whole = plans.iter_mut().filter(|plan| plan.flaw.is_none());
    for plan in whole.skip(2).step_by(7).take(unlabelled) {
        plan.unlabelled = true;
    }
    let wrong = (pictures + 25) / 50;
    let labelled = plans
        .iter_mut()
        .filter(|plan| plan.flaw.is_none() && !plan.unlabelled);
    for plan in labelled.skip(4).step_by(29).take(wrong) {
        plan.wrong = true;
    }
    let original = plans
        .iter()
        .position(|plan| plan.flaw.is_none() && !plan.unlabelled && !plan.wrong);
    if let Some((index, original)) =
        original.and_then(|index| Some((index, plans.get(index)?.clone())))
        && copies > 0
    {
        let copy = Plan {
            in_phone: !original.in_phone,
            width: (original.width / 2).max(160),
            height: (original.height / 2).max(160),
            encoding: Encoding::Png { alpha: false },
            copy: true,
            ..original
        };
        plans.insert(index + 1, copy);
    }
    plans
}
