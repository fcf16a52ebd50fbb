//! Counts of label rows against samples.

use std::collections::{HashMap, HashSet};

use sparkles_data::{Class, IngestCounts, Label, Reject, RejectReason, Sample};

/// Examples that are kept of each oddity.
const EXAMPLES: usize = 5;

/// What the rows of one pair of id and label say: bits of a set.
const PRESENT: u8 = 1;
const ABSENT: u8 = 2;
const BETWEEN: u8 = 4;

/// Counts label rows as they are read.
pub(super) struct Tally<'a> {
    /// Images that share an id.
    ids: HashMap<&'a str, u64>,
    /// Ids of files that are there, but were refused.
    refused_ids: HashSet<&'a str>,
    labelled: HashSet<&'a str>,
    /// Distinct ids that are verified to have a label, by label name.
    present: HashMap<String, u64>,
    /// Verdicts by pair of id and label: hashes, because label files can be far
    /// larger than the photos at hand.
    pairs: HashMap<[u8; 16], u8>,
    without_photo: HashSet<[u8; 16]>,
    first_id: Option<String>,
    labels: u64,
    doubled_labels: u64,
    contradictory_labels: u64,
    samples: u64,
    pub(super) without_photo_examples: Vec<String>,
    pub(super) contradictory_examples: Vec<String>,
    pub(super) doubled_examples: Vec<String>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(samples: &'a [Sample], rejects: &'a [Reject]) -> Self {
        let mut ids: HashMap<&str, u64> = HashMap::with_capacity(samples.len());
        for sample in samples {
            *ids.entry(&sample.sample_id).or_insert(0) += 1;
        }
        let mut doubled: Vec<String> = ids
            .iter()
            .filter(|(_, images)| **images > 1)
            .map(|(id, _)| (*id).to_owned())
            .collect();
        doubled.sort();
        doubled.truncate(EXAMPLES);
        Self {
            ids,
            refused_ids: rejects
                .iter()
                .filter(|reject| reject.reason != RejectReason::Missing)
                .filter_map(|reject| reject.sample_id.as_deref())
                .collect(),
            labelled: HashSet::new(),
            present: HashMap::new(),
            pairs: HashMap::new(),
            without_photo: HashSet::new(),
            first_id: None,
            labels: 0,
            doubled_labels: 0,
            contradictory_labels: 0,
            samples: samples.len() as u64,
            without_photo_examples: Vec::new(),
            contradictory_examples: Vec::new(),
            doubled_examples: doubled,
        }
    }

    pub(super) fn add(&mut self, label: &Label) {
        self.labels += 1;
        if self.first_id.is_none() {
            self.first_id = Some(label.sample_id.clone());
        }
        let present = self.present.entry(label.label_name.clone()).or_insert(0);
        let verdict = if label.confidence >= 1.0 {
            PRESENT
        } else if label.confidence <= 0.0 {
            ABSENT
        } else {
            BETWEEN
        };
        let pair = short_hash(&[&label.sample_id, &label.label_name]);
        let verdicts = self.pairs.entry(pair).or_insert(0);
        let before = *verdicts;
        *verdicts |= verdict;
        if before == *verdicts {
            self.doubled_labels += 1;
        } else {
            *present += u64::from(verdict == PRESENT);
            let contradicts = |verdicts: u8| verdicts & (PRESENT | ABSENT) == PRESENT | ABSENT;
            if contradicts(*verdicts) && !contradicts(before) {
                self.contradictory_labels += 1;
                let examples = &self.contradictory_examples;
                if examples.len() < EXAMPLES && !examples.contains(&label.sample_id) {
                    self.contradictory_examples.push(label.sample_id.clone());
                }
            }
        }
        if let Some((id, _)) = self.ids.get_key_value(label.sample_id.as_str()) {
            self.labelled.insert(id);
        } else if !self.refused_ids.contains(label.sample_id.as_str())
            && self.without_photo.insert(short_hash(&[&label.sample_id]))
            && self.without_photo_examples.len() < EXAMPLES
        {
            self.without_photo_examples.push(label.sample_id.clone());
        }
    }

    pub(super) fn finish(
        &self,
        classes: &[Class],
        found: u64,
        rejected: u64,
        rejected_labels: u64,
    ) -> IngestCounts {
        let described = names_of(classes);
        let unknown = self
            .present
            .keys()
            .filter(|name| !classes.is_empty() && !described.contains(name.as_str()))
            .count();
        let labelled: u64 = self
            .labelled
            .iter()
            .map(|id| self.ids.get(id).copied().unwrap_or(0))
            .sum();
        IngestCounts {
            found,
            samples: self.samples,
            labels: self.labels,
            classes: self.present.len() as u64,
            rejected,
            rejected_labels,
            doubled_ids: self.ids.values().filter(|images| **images > 1).count() as u64,
            doubled_labels: self.doubled_labels,
            contradictory_labels: self.contradictory_labels,
            unlabelled: self.samples - labelled,
            without_photo: self.without_photo.len() as u64,
            unknown_classes: unknown as u64,
        }
    }

    /// The id of the first label row, if there are label rows and none of them
    /// belongs to an image.
    pub(super) fn unmatched_example(&self) -> Option<&str> {
        let id = self.first_id.as_deref()?;
        self.labelled.is_empty().then_some(id)
    }

    /// The described classes, then the others under their own name.
    pub(super) fn class_rows(&self, classes: &[Class]) -> Vec<Class> {
        let described = names_of(classes);
        let mut others: Vec<Class> = self
            .present
            .keys()
            .filter(|name| !described.contains(name.as_str()))
            .map(|name| Class {
                label_name: name.clone(),
                display_name: name.clone(),
            })
            .collect();
        others.sort_by(|a, b| a.label_name.cmp(&b.label_name));
        classes.iter().cloned().chain(others).collect()
    }

    /// The classes that most ids are verified to have.
    pub(super) fn top_classes(&self, classes: &[Class]) -> Vec<(String, u64)> {
        let mut top: Vec<(String, u64)> = classes
            .iter()
            .filter_map(|class| {
                let ids = self.present.get(&class.label_name)?;
                Some((class.display_name.clone(), *ids))
            })
            .collect();
        top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        top.truncate(10);
        top
    }
}

fn names_of(classes: &[Class]) -> HashSet<&str> {
    let names = classes.iter().map(|class| class.label_name.as_str());
    names.collect()
}

fn short_hash(texts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut short = [0; 16];
    hasher.finalize_xof().fill(&mut short);
    short
}
