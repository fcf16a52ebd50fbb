//! What a backbone's own classes are called.

use std::sync::LazyLock;

use serde::Serialize;

use crate::card::BackboneCard;

/// WordNet id and name of the 1,000 classes of ILSVRC 2012, by class index. Made and
/// checked by `reference/vision/imagenet_classes.py`.
const IMAGENET: &str = include_str!("classes/imagenet-1k.txt");

static IMAGENET_CLASSES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let lines = IMAGENET.lines();
    lines.filter_map(|line| line.split_once('\t')).collect()
});

/// What a card says of classes that are those of [`IMAGENET`].
pub(crate) const ASCENDING_WORDNET: &str = "ILSVRC2012, ascending WordNet id";

/// The same, behind one for what is none of them, as TensorFlow trains.
const BEHIND_BACKGROUND: &str = "index 0 background, then ILSVRC2012, ascending WordNet id";

/// One of the classes that a backbone was trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackboneClass {
    /// Its name; `class N` where nobody says.
    pub name: String,
    /// Its id in WordNet 3.0, such as `n02084071`, for classes of ImageNet.
    pub wordnet_id: Option<String>,
}

/// A class that a photo may show, by the backbone's own classifier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tag {
    /// The index of the class among the logits.
    pub class_index: usize,
    /// Its name.
    pub class: String,
    /// Its id in WordNet 3.0, for classes of ImageNet.
    pub wordnet_id: Option<String>,
    /// Its probability: the softmax of the logits.
    pub probability: f64,
}

impl BackboneCard {
    /// The `top` most probable classes of a photo by its logits, most probable
    /// first; of two that are equally probable, the one of the lower index.
    /// Probabilities are the softmax over all logits, exp(l) / Σ exp(l), which are
    /// finite.
    pub fn tags(&self, logits: &[f32], top: usize) -> Vec<Tag> {
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| f64::from(logit - most).exp();
        let sum: f64 = logits.iter().map(|logit| weight(*logit)).sum();
        let mut ranked: Vec<(usize, f32)> = logits.iter().copied().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(top);
        let tag = |(class_index, logit)| {
            let class = self.class(class_index);
            Tag {
                class_index,
                class: class.name,
                wordnet_id: class.wordnet_id,
                probability: weight(logit) / sum,
            }
        };
        ranked.into_iter().map(tag).collect()
    }

    /// The class of that index: by the card's own names, or by those of ImageNet
    /// where the card says that they are the classes. It is never guessed.
    pub fn class(&self, index: usize) -> BackboneClass {
        let named = |name: &str| BackboneClass {
            name: name.to_owned(),
            wordnet_id: None,
        };
        let imagenet = match (self.classes.as_deref(), self.class_count) {
            (Some(ASCENDING_WORDNET), Some(1000)) => IMAGENET_CLASSES.get(index),
            (Some(BEHIND_BACKGROUND), Some(1001)) if index == 0 => return named("background"),
            (Some(BEHIND_BACKGROUND), Some(1001)) => IMAGENET_CLASSES.get(index - 1),
            _ => None,
        };
        let own = self.class_names.as_ref().and_then(|names| names.get(index));
        match (own, imagenet) {
            (Some(name), _) => named(name),
            (None, Some((id, name))) => BackboneClass {
                name: (*name).to_owned(),
                wordnet_id: Some((*id).to_owned()),
            },
            (None, None) => named(&format!("class {index}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Weights};

    #[test]
    fn names_are_the_cards_or_those_of_imagenet() {
        assert_eq!(IMAGENET_CLASSES.len(), 1000);
        assert!(IMAGENET_CLASSES.is_sorted());
        let built = Architecture::ResNet50.build(&Weights::random(1), "", "");
        let Ok((_, mut card)) = built else {
            unreachable!("random weights fit")
        };
        let tiger_shark = card.class(3);
        assert_eq!(tiger_shark.name, "tiger shark");
        assert_eq!(tiger_shark.wordnet_id.as_deref(), Some("n01491361"));
        assert_eq!(card.class(1000).name, "class 1000");
        // TensorFlow's networks count from the background on.
        card.classes = Some(BEHIND_BACKGROUND.to_owned());
        assert_eq!(card.class(4).name, "class 4");
        card.class_count = Some(1001);
        assert_eq!(card.class(4).name, "tiger shark");
        assert_eq!(card.class(0).name, "background");
        card.class_names = Some(vec!["cat".to_owned(), "dog".to_owned()]);
        assert_eq!(card.class(1).name, "dog");
        card.class_names = None;
        card.classes = None;
        assert_eq!(card.class(4).name, "class 4");

        let tags = card.tags(&[1.0, 3.0, 3.0, -90.0], 3);
        let found: Vec<_> = tags
            .iter()
            .map(|tag| (tag.class_index, &*tag.class))
            .collect();
        assert_eq!(found, [(1, "class 1"), (2, "class 2"), (0, "class 0")]);
        // 1 / (2 + e^-2)
        assert!((tags[0].probability - 0.468_310_530).abs() < 1e-8);
        assert!(card.tags(&[], 5).is_empty());
    }
}
