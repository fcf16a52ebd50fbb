//! Which samples a classifier learns from, and under which label.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sparkles_data::{Class, Dataset, Sample};

use crate::Error;

/// What becomes of a sample that has several of the chosen labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Both {
    /// It is left out, and counted.
    #[default]
    Drop,
    /// It becomes one row a label, as a join makes it.
    Keep,
    /// It is an error.
    Error,
}

impl FromStr for Both {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "drop" => Ok(Self::Drop),
            "keep" => Ok(Self::Keep),
            "error" => Ok(Self::Error),
            _ => Err(format!("`{text}` is none of drop, keep, error")),
        }
    }
}

impl fmt::Display for Both {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::Error => "error",
        })
    }
}

/// The labels to tell apart.
///
/// Two or more: samples verified to have them (confidence 1). One: present
/// (confidence 1) against verified absent (confidence 0). None: all classes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSelection {
    /// Readable names or label names.
    pub labels: Vec<String>,
    /// What becomes of samples with several of them.
    pub both: Both,
}

/// A row to learn from or to measure on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Position of the sample.
    pub(crate) sample: usize,
    /// Position in [`Selected::labels`].
    pub(crate) label: usize,
}

/// A label of a selection, and the class of the dataset behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedLabel {
    /// The label, as the model calls it.
    pub label: String,
    /// The class, as the label file names it.
    pub label_name: String,
    /// The class's readable name.
    pub display_name: String,
}

/// The rows of a selection, in order of sample id.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    /// The labels of the rows: those that were asked for, or all.
    pub(crate) labels: Vec<String>,
    /// The classes behind them; with one label alone there is one of these and
    /// two of those.
    pub(crate) classes: Vec<SelectedLabel>,
    /// Position of the label that counts as positive, with one label alone.
    pub(crate) positive: Option<usize>,
    pub(crate) rows: Vec<Row>,
    /// Samples left out, by reason.
    pub(crate) dropped: BTreeMap<String, u64>,
    /// Rows of the chosen labels with a confidence between 0 and 1, unused.
    pub(crate) machine_made: u64,
}

/// Left out: verified present and verified absent at once.
const CONFLICTING: &str = "conflicting_labels";
/// Left out: several of the chosen labels.
const SEVERAL: &str = "several_labels";

/// What the rows of labels say of one label of one sample.
#[derive(Debug, Clone, Copy, Default)]
struct Verdict {
    present: bool,
    absent: bool,
}

/// The position of the class that `text` means among (label name, readable name,
/// rows): a label name, a readable name, or a readable name in other case.
pub(crate) fn resolve_label(text: &str, classes: &[(&str, &str, u64)]) -> Result<usize, Error> {
    let matching = |same: &dyn Fn(&str, &str) -> bool| -> Vec<usize> {
        let found = classes.iter().enumerate();
        found
            .filter(|(_, (label_name, display_name, _))| same(label_name, display_name))
            .map(|(position, _)| position)
            .collect()
    };
    let lower = folded(text);
    let mut found = matching(&|label_name, _| label_name == text);
    if found.is_empty() {
        found = matching(&|_, display_name| display_name == text);
    }
    if found.is_empty() {
        found = matching(&|_, display_name| folded(display_name) == lower);
    }
    match found.as_slice() {
        [position] => Ok(*position),
        [] => Err(Error::UnknownLabel {
            label: text.to_owned(),
            closest: closest(&lower, classes),
        }),
        several => Err(Error::AmbiguousLabel {
            label: text.to_owned(),
            label_names: several
                .iter()
                .filter_map(|&position| classes.get(position))
                .map(|(label_name, _, _)| (*label_name).to_owned())
                .collect(),
        }),
    }
}

/// A name for comparison: in lower case, with accents composed, without white
/// space around it.
fn folded(name: &str) -> String {
    let composed = icu_normalizer::ComposingNormalizerBorrowed::new_nfc().normalize(name.trim());
    composed.to_lowercase()
}

/// The three readable names closest in spelling, among classes with rows.
fn closest(lower: &str, classes: &[(&str, &str, u64)]) -> Vec<(String, u64)> {
    let mut names: Vec<(usize, &str, u64)> = classes
        .iter()
        .filter(|(_, _, rows)| *rows > 0)
        .map(|(_, name, rows)| {
            (
                strsim::damerau_levenshtein(lower, &folded(name)),
                *name,
                *rows,
            )
        })
        .collect();
    names.sort_by(|a, b| a.0.cmp(&b.0).then(b.2.cmp(&a.2)).then(a.1.cmp(b.1)));
    names
        .into_iter()
        .take(3)
        .map(|(_, name, rows)| (name.to_owned(), rows))
        .collect()
}

/// Rows of `labels` by label name: all, and those of confidence 1.
fn count_rows(dataset: &Dataset) -> Result<HashMap<String, (u64, u64)>, Error> {
    let mut rows: HashMap<String, (u64, u64)> = HashMap::new();
    dataset.visit_labels(|labels| {
        for label in labels {
            let (all, present) = rows.entry(label.label_name).or_default();
            *all += 1;
            *present += u64::from(label.confidence >= 1.0);
        }
    })?;
    Ok(rows)
}

/// The classes that a selection means, each once: all with rows, or those that
/// were asked for.
fn choose(dataset: &Dataset, labels: &[String]) -> Result<Vec<SelectedLabel>, Error> {
    let rows = count_rows(dataset)?;
    let classes = dataset.classes()?;
    let chosen: Vec<&Class> = if labels.is_empty() {
        let has_rows = |class: &&Class| rows.contains_key(&class.label_name);
        classes.iter().filter(has_rows).collect()
    } else {
        let named: Vec<(&str, &str, u64)> = classes
            .iter()
            .map(|class| {
                let present = rows
                    .get(&class.label_name)
                    .map_or(0, |(_, present)| *present);
                (&*class.label_name, &*class.display_name, present)
            })
            .collect();
        let mut positions = Vec::new();
        for text in labels {
            let position = resolve_label(text, &named)?;
            if !positions.contains(&position) {
                positions.push(position);
            }
        }
        let class_at = |position: usize| classes.get(position);
        positions.into_iter().filter_map(class_at).collect()
    };
    let mut readable: HashMap<&str, u32> = HashMap::new();
    for class in &chosen {
        *readable.entry(&class.display_name).or_insert(0) += 1;
    }
    // Classes that share a readable name are told apart by their label name.
    let label = |class: &Class| match readable.get(class.display_name.as_str()) {
        Some(2..) => format!("{} ({})", class.display_name, class.label_name),
        _ => class.display_name.clone(),
    };
    let selected = chosen.iter().map(|class| SelectedLabel {
        label: label(class),
        label_name: class.label_name.clone(),
        display_name: class.display_name.clone(),
    });
    Ok(selected.collect())
}

/// Applies a selection to a dataset whose samples were read.
pub(crate) fn select(
    dataset: &Dataset,
    samples: &[Sample],
    selection: &LabelSelection,
) -> Result<Selected, Error> {
    let classes = choose(dataset, &selection.labels)?;
    let slots: HashMap<&str, usize> = classes
        .iter()
        .enumerate()
        .map(|(slot, class)| (class.label_name.as_str(), slot))
        .collect();
    let verdicts = Verdicts::read(dataset, samples, &slots)?;
    let all = selection.labels.is_empty();
    let selected = match classes.as_slice() {
        [class] if !all => {
            let selected = one_label(class.clone(), &verdicts);
            if !selected.rows.iter().any(|row| row.label == 0) {
                return Err(Error::NoAbsent {
                    label: class.label.clone(),
                    present: selected.rows.len() as u64,
                });
            }
            selected
        }
        _ => several_labels(classes, &verdicts, samples, selection.both)?,
    };
    // A label that was asked for by name and that no sample has is a mistake.
    let without_rows: Vec<String> = (0..)
        .zip(&selected.labels)
        .filter(|(slot, _)| !all && !selected.rows.iter().any(|row| row.label == *slot))
        .map(|(_, label)| label.clone())
        .collect();
    if selected.rows.is_empty() || !without_rows.is_empty() {
        return Err(Error::NoRows {
            labels: without_rows,
        });
    }
    Ok(selected)
}

/// Applies the selection of a model to any dataset: classes are what they are
/// called, by label name or else by readable name, in any case. `trained` are the
/// classes of the model. Labels that the dataset does not have get no row.
pub(crate) fn select_like(
    dataset: &Dataset,
    samples: &[Sample],
    selection: &LabelSelection,
    trained: &[SelectedLabel],
) -> Result<Selected, Error> {
    let here = choose(dataset, &[])?;
    let mut classes = trained.to_vec();
    let mut slots = HashMap::new();
    for (class, slot) in here.iter().zip(same_classes(&here, trained)) {
        let slot = match slot {
            Some(slot) => slot,
            // Where the model is about all classes, those that it does not know
            // take part: their rows are left out, and counted.
            None if selection.labels.is_empty() => {
                classes.push(class.clone());
                classes.len() - 1
            }
            None => continue,
        };
        slots.insert(class.label_name.as_str(), slot);
    }
    let mut verdicts = Verdicts::read(dataset, samples, &slots)?;
    // What it does not know is no reason to leave out what it does.
    for verdicts in &mut verdicts.by_sample {
        let is_known = |slot: usize| slot < trained.len();
        if verdicts
            .iter()
            .any(|(slot, verdict)| is_known(*slot) && verdict.present)
        {
            verdicts.retain(|slot, _| is_known(*slot));
        }
    }
    let selected = match trained {
        [class] if !selection.labels.is_empty() => one_label(class.clone(), &verdicts),
        _ => several_labels(classes, &verdicts, samples, selection.both)?,
    };
    if !selected
        .rows
        .iter()
        .any(|row| row.label < trained.len().max(2))
    {
        return Err(Error::NoSharedLabel {
            dataset: dataset.root().to_string(),
            trained: trained.iter().map(|class| class.label.clone()).collect(),
            found: here.into_iter().map(|class| class.label).collect(),
        });
    }
    Ok(selected)
}

/// For each class of a dataset the trained class that it is: by label name, or
/// else by readable name, or else by either in other case; each only where it is
/// the one on both sides that is called so.
fn same_classes(here: &[SelectedLabel], trained: &[SelectedLabel]) -> Vec<Option<usize>> {
    type Names = fn(&SelectedLabel) -> BTreeSet<String>;
    let passes: [Names; 3] = [
        |class| BTreeSet::from([class.label_name.clone()]),
        |class| BTreeSet::from([class.display_name.clone()]),
        |class| BTreeSet::from([folded(&class.label_name), folded(&class.display_name)]),
    ];
    let mut slots = vec![None; here.len()];
    let mut is_taken = vec![false; trained.len()];
    for names in passes {
        // Who is still free, by what it is called.
        let mut called: BTreeMap<String, (BTreeSet<usize>, BTreeSet<usize>)> = BTreeMap::new();
        let free = here.iter().enumerate().zip(&slots);
        for ((at, class), _) in free.filter(|(_, slot)| slot.is_none()) {
            for name in names(class) {
                called.entry(name).or_default().0.insert(at);
            }
        }
        let free = trained.iter().enumerate().zip(&is_taken);
        for ((slot, class), _) in free.filter(|(_, taken)| !**taken) {
            for name in names(class) {
                called.entry(name).or_default().1.insert(slot);
            }
        }
        for (found, meant) in called.into_values() {
            if let (1, 1, Some(&at), Some(&slot)) =
                (found.len(), meant.len(), found.first(), meant.first())
                && let (Some(place), Some(taken)) = (slots.get_mut(at), is_taken.get_mut(slot))
                && place.is_none()
                && !*taken
            {
                *place = Some(slot);
                *taken = true;
            }
        }
    }
    slots
}

/// What the label rows say of the chosen labels of each sample.
struct Verdicts {
    /// By sample, then by label.
    by_sample: Vec<BTreeMap<usize, Verdict>>,
    /// Rows with a confidence between 0 and 1, unused.
    machine_made: u64,
}

impl Verdicts {
    /// `slots` gives the position of a label by its label name.
    fn read(
        dataset: &Dataset,
        samples: &[Sample],
        slots: &HashMap<&str, usize>,
    ) -> Result<Self, Error> {
        // Several files may share an id: its labels go to all of them.
        let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
        for (position, sample) in samples.iter().enumerate() {
            by_id.entry(&sample.sample_id).or_default().push(position);
        }
        let mut by_sample: Vec<BTreeMap<usize, Verdict>> = vec![BTreeMap::new(); samples.len()];
        let mut machine_made = 0;
        dataset.visit_labels(|rows| {
            for row in rows {
                let Some(slot) = slots.get(row.label_name.as_str()) else {
                    continue;
                };
                let Some(positions) = by_id.get(row.sample_id.as_str()) else {
                    continue;
                };
                if row.confidence > 0.0 && row.confidence < 1.0 {
                    machine_made += 1;
                    continue;
                }
                for &position in positions {
                    if let Some(verdicts) = by_sample.get_mut(position) {
                        let verdict = verdicts.entry(*slot).or_default();
                        verdict.present |= row.confidence >= 1.0;
                        verdict.absent |= row.confidence <= 0.0;
                    }
                }
            }
        })?;
        Ok(Self {
            by_sample,
            machine_made,
        })
    }
}

/// Present against verified absent.
fn one_label(class: SelectedLabel, verdicts: &Verdicts) -> Selected {
    let mut rows = Vec::new();
    let mut dropped = BTreeMap::new();
    for (sample, verdicts) in verdicts.by_sample.iter().enumerate() {
        match verdicts.get(&0) {
            Some(Verdict {
                present: true,
                absent: true,
            }) => {
                *dropped.entry(CONFLICTING.to_owned()).or_insert(0) += 1;
            }
            Some(Verdict { present: true, .. }) => rows.push(Row { sample, label: 1 }),
            Some(Verdict { absent: true, .. }) => rows.push(Row { sample, label: 0 }),
            _ => {}
        }
    }
    Selected {
        labels: vec![format!("not {}", class.label), class.label.clone()],
        classes: vec![class],
        positive: Some(1),
        rows,
        dropped,
        machine_made: verdicts.machine_made,
    }
}

/// Samples verified to have one of the labels.
fn several_labels(
    classes: Vec<SelectedLabel>,
    verdicts: &Verdicts,
    samples: &[Sample],
    both: Both,
) -> Result<Selected, Error> {
    let labels: Vec<String> = classes.iter().map(|class| class.label.clone()).collect();
    let mut rows = Vec::new();
    let mut dropped: BTreeMap<String, u64> = BTreeMap::new();
    for (sample, verdicts) in verdicts.by_sample.iter().enumerate() {
        let present: Vec<usize> = verdicts
            .iter()
            .filter(|(_, verdict)| verdict.present && !verdict.absent)
            .map(|(slot, _)| *slot)
            .collect();
        let conflicting = verdicts
            .values()
            .any(|verdict| verdict.present && verdict.absent);
        match (present.as_slice(), both) {
            _ if conflicting => *dropped.entry(CONFLICTING.to_owned()).or_insert(0) += 1,
            ([], _) => {}
            ([label], _) => rows.push(Row {
                sample,
                label: *label,
            }),
            (several, Both::Keep) => {
                rows.extend(several.iter().map(|&label| Row { sample, label }));
            }
            (_, Both::Drop) => *dropped.entry(SEVERAL.to_owned()).or_insert(0) += 1,
            (several, Both::Error) => {
                return Err(Error::SeveralLabels {
                    sample_id: samples
                        .get(sample)
                        .map(|sample| sample.sample_id.clone())
                        .unwrap_or_default(),
                    labels: several
                        .iter()
                        .filter_map(|&label| labels.get(label).cloned())
                        .collect(),
                });
            }
        }
    }
    Ok(Selected {
        labels,
        classes,
        positive: None,
        rows,
        dropped,
        machine_made: verdicts.machine_made,
    })
}
