//! The label file of a collection.

use std::fmt::Write as _;

use super::files::Written;
use super::plan::Plan;
use crate::demo::drawing::{Dice, Extras};

const CAR: &str = "/m/0k4j";
const TREE: &str = "/m/07j7r";
const HOUSE: &str = "/m/03jm5";
const BUS: &str = "/m/01bjv";
const STREET_LIGHT: &str = "/m/033rq4";
const PALM_TREE: &str = "/m/0cdl1";
const LAND_VEHICLE: &str = "/m/01prls";
const WHEEL: &str = "/m/083wq";
const PLANT: &str = "/m/05s2s";
const DOG: &str = "/m/0bt9lr";
const CAT: &str = "/m/01yrx";
const BICYCLE: &str = "/m/0199g";
/// A real class that is left out of the descriptions on purpose.
const TRAFFIC_SIGN: &str = "/m/01mqdt";

/// Identifiers and names from Open Images' `class-descriptions-boxable.csv`.
pub(super) const CLASSES: [(&str, &str); 12] = [
    (BICYCLE, "Bicycle"),
    (BUS, "Bus"),
    (LAND_VEHICLE, "Land vehicle"),
    (CAT, "Cat"),
    (STREET_LIGHT, "Street light"),
    (HOUSE, "House"),
    (PLANT, "Plant"),
    (TREE, "Tree"),
    (WHEEL, "Wheel"),
    (DOG, "Dog"),
    (PALM_TREE, "Palm tree"),
    (CAR, "Car"),
];

/// The label file in the making.
pub(super) struct Labels {
    pub(super) text: String,
    pub(super) rows: usize,
    pub(super) doubled: usize,
    pub(super) without_photo: usize,
    pub(super) undescribed: usize,
}

impl Labels {
    pub(super) fn new(plans: &[Plan], written: &[Written], dice: &mut Dice) -> Self {
        let mut labels = Self {
            text: "ImageID,Source,LabelName,Confidence\n".to_owned(),
            rows: 0,
            doubled: 0,
            without_photo: 0,
            undescribed: 0,
        };
        let signed = plans.iter().zip(written).position(|(plan, written)| {
            plan.flaw.is_none() && !plan.unlabelled && !plan.copy && written.extras.traffic_sign
        });
        let photos = plans.iter().zip(written).enumerate();
        for (index, (plan, written)) in photos {
            // A copy goes by the labels of its id.
            if plan.copy || plan.unlabelled {
                continue;
            }
            labels.photo(plan, written.extras, dice);
            if Some(index) == signed {
                labels.row(&plan.id, TRAFFIC_SIGN, true, dice);
                labels.undescribed += 1;
            }
            if index % 60 == 10 {
                labels.again();
            }
        }
        for _ in 0..(plans.len() / 20).min(3) {
            let id = format!("{:016x}", dice.bits());
            labels.row(&id, dice.pick([CAR, TREE]), true, dice);
            labels.without_photo += 1;
        }
        labels
    }

    /// The rows of one photo: cars and trees first, then what else there is, then
    /// what somebody has looked for and not found.
    fn photo(&mut self, plan: &Plan, extras: Extras, dice: &mut Dice) {
        let shown = plan.labelled_scene();
        for (label, present) in [(CAR, shown.has_car()), (TREE, shown.has_tree())] {
            if present || dice.chance(0.85) {
                self.row(&plan.id, label, present, dice);
            }
        }
        let others = [
            (HOUSE, extras.house, 0.8),
            (BUS, extras.bus, 1.0),
            (STREET_LIGHT, extras.street_light, 0.6),
            (PALM_TREE, extras.palm_tree && shown.has_tree(), 0.8),
            (LAND_VEHICLE, shown.has_car(), 0.3),
            (WHEEL, shown.has_car(), 0.2),
            (PLANT, shown.has_tree(), 0.2),
        ];
        for (label, present, often) in others {
            if present && dice.chance(often) {
                self.row(&plan.id, label, true, dice);
            }
        }
        if !extras.bus && dice.chance(0.1) {
            self.row(&plan.id, BUS, false, dice);
        }
        if dice.chance(0.25) {
            self.row(&plan.id, dice.pick([DOG, CAT, BICYCLE]), false, dice);
        }
    }

    fn row(&mut self, id: &str, label: &str, present: bool, dice: &mut Dice) {
        let source = if dice.chance(0.85) {
            "verification"
        } else {
            "crowdsource-verification"
        };
        let confidence = u8::from(present);
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{id},{source},{label},{confidence}");
        self.rows += 1;
    }

    /// Repeats the last row.
    fn again(&mut self) {
        if let Some(last) = self.text.lines().last().map(str::to_owned) {
            self.text.push_str(&last);
            self.text.push('\n');
            self.rows += 1;
            self.doubled += 1;
        }
    }
}
