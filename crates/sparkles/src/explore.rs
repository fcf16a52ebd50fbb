//! The verb `explore`: what is in a dataset, before anything is learned from it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use sparkles_data::{Dataset, IngestCounts, RejectReason, Sample, Stage};

use crate::Error;

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct ExploreRequest {
    /// Labels whose co-occurrence is counted; none for the most frequent.
    pub labels: Vec<String>,
}

/// Labels that co-occurrence is shown for, where none are chosen.
const CO_OCCURRENCE_LABELS: usize = 8;

/// What is in a dataset.
#[derive(Debug, Clone, Serialize)]
pub struct ExploreSummary {
    /// What ingest counted.
    pub counts: IngestCounts,
    /// Rows of labels and samples by class, most samples first.
    pub classes: Vec<ClassCount>,
    /// Samples by their number of labels that are present.
    pub labels_per_sample: BTreeMap<u64, u64>,
    /// Rows of labels by who says so.
    pub label_sources: BTreeMap<String, u64>,
    /// Rows of labels by confidence: `1`, `0` or `between`.
    pub confidences: BTreeMap<String, u64>,
    /// Samples by format.
    pub formats: BTreeMap<String, u64>,
    /// Samples by number of channels as stored.
    pub channels: BTreeMap<u8, u64>,
    /// Samples by EXIF orientation.
    pub orientations: BTreeMap<u8, u64>,
    /// Width in pixels.
    pub width: Quantiles,
    /// Height in pixels.
    pub height: Quantiles,
    /// Length of the files in bytes.
    pub bytes: Quantiles,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Samples that have both labels, for each pair of the chosen ones.
    pub co_occurrence: CoOccurrence,
    /// The ledger by stage and reason.
    pub rejects: BTreeMap<String, BTreeMap<String, u64>>,
    /// Features that were computed: backbone and rows.
    pub features: Vec<(String, u64)>,
}

/// How often a class occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class, as the label file names it.
    pub label_name: String,
    /// The name for people.
    pub display_name: String,
    /// Samples verified to have it.
    pub present: u64,
    /// Samples verified not to have it.
    pub absent: u64,
    /// Samples of which a machine says so.
    pub machine_made: u64,
    /// Labelled ids whose photo was refused.
    pub refused: u64,
    /// Labelled ids without a photo.
    pub without_photo: u64,
}

/// How many samples have two labels at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct CoOccurrence {
    /// Readable names.
    pub labels: Vec<String>,
    /// A row and a column a label; the diagonal counts the label alone.
    pub counts: Vec<Vec<u64>>,
}

/// Least, quartiles and most of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Quantiles {
    /// Least.
    pub min: u64,
    /// A quarter is at most this.
    pub lower_quartile: u64,
    /// Half is at most this.
    pub median: u64,
    /// Three quarters are at most this.
    pub upper_quartile: u64,
    /// Most.
    pub max: u64,
}

impl Quantiles {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |numerator: usize| {
            let last = values.len().saturating_sub(1);
            values.get(last * numerator / 4).copied().unwrap_or(0)
        };
        Self {
            min: at(0),
            lower_quartile: at(1),
            median: at(2),
            upper_quartile: at(3),
            max: at(4),
        }
    }
}

/// Counts what a dataset holds, in one pass over its tables.
pub fn explore(dataset: &Dataset, request: &ExploreRequest) -> Result<ExploreSummary, Error> {
    let samples = dataset.samples()?;
    let names: HashMap<String, String> = dataset
        .classes()?
        .into_iter()
        .map(|class| (class.label_name, class.display_name))
        .collect();
    let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, sample) in samples.iter().enumerate() {
        by_id.entry(&sample.sample_id).or_default().push(position);
    }
    let ledger = dataset.rejects()?;
    let refused: HashSet<String> = ledger
        .iter()
        .filter(|reject| reject.stage == Stage::Ingest && reject.reason != RejectReason::Missing)
        .filter_map(|reject| reject.sample_id.clone())
        .collect();
    // Label names as numbers; a sample's labels as a set of them.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut counts: Vec<ClassCount> = Vec::new();
    let mut present: Vec<HashSet<usize>> = vec![HashSet::new(); samples.len()];
    let mut seen: HashSet<(usize, usize, u8)> = HashSet::new();
    let mut seen_without_photo: HashSet<(usize, String)> = HashSet::new();
    let mut label_sources: BTreeMap<String, u64> = BTreeMap::new();
    let mut confidences: BTreeMap<String, u64> = BTreeMap::new();
    dataset.visit_labels(|rows| {
        for row in rows {
            let number = *numbers.entry(row.label_name.clone()).or_insert_with(|| {
                counts.push(ClassCount {
                    display_name: names
                        .get(&row.label_name)
                        .unwrap_or(&row.label_name)
                        .clone(),
                    label_name: row.label_name.clone(),
                    present: 0,
                    absent: 0,
                    machine_made: 0,
                    refused: 0,
                    without_photo: 0,
                });
                counts.len() - 1
            });
            let (kind, name) = if row.confidence >= 1.0 {
                (0, "1")
            } else if row.confidence <= 0.0 {
                (1, "0")
            } else {
                (2, "between")
            };
            *confidences.entry(name.to_owned()).or_insert(0) += 1;
            *label_sources.entry(row.source).or_insert(0) += 1;
            let Some(count) = counts.get_mut(number) else {
                continue;
            };
            let Some(positions) = by_id.get(row.sample_id.as_str()) else {
                let is_refused = refused.contains(&row.sample_id);
                if seen_without_photo.insert((number, row.sample_id)) {
                    count.refused += u64::from(is_refused);
                    count.without_photo += u64::from(!is_refused);
                }
                continue;
            };
            for &position in positions {
                if seen.insert((number, position, kind)) {
                    match kind {
                        0 => count.present += 1,
                        1 => count.absent += 1,
                        _ => count.machine_made += 1,
                    }
                }
                if kind == 0
                    && let Some(present) = present.get_mut(position)
                {
                    present.insert(number);
                }
            }
        }
    })?;
    let chosen = chosen_labels(&request.labels, &counts)?;
    let co_occurrence = co_occurrence(&chosen, &counts, &present);
    counts.sort_by(|a, b| {
        (b.present, b.absent)
            .cmp(&(a.present, a.absent))
            .then_with(|| (&a.display_name, &a.label_name).cmp(&(&b.display_name, &b.label_name)))
    });
    let mut rejects: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for reject in ledger {
        let stage = rejects.entry(reject.stage.name().to_owned()).or_default();
        *stage.entry(reject.reason.to_string()).or_insert(0) += 1;
    }
    let features = dataset
        .feature_stores()?
        .iter()
        .map(|store| {
            let rows = store.manifest().parts.iter().map(|part| part.rows).sum();
            (store.manifest().backbone.clone(), rows)
        })
        .collect();
    let tally = |key: fn(&Sample) -> u8| {
        let mut tally = BTreeMap::new();
        for sample in &samples {
            *tally.entry(key(sample)).or_insert(0u64) += 1;
        }
        tally
    };
    let mut formats = BTreeMap::new();
    for sample in &samples {
        *formats.entry(sample.format.clone()).or_insert(0u64) += 1;
    }
    let quantiles = |value: fn(&Sample) -> u64| Quantiles::of(samples.iter().map(value).collect());
    let mut labels_per_sample = BTreeMap::new();
    for present in &present {
        *labels_per_sample.entry(present.len() as u64).or_insert(0) += 1;
    }
    Ok(ExploreSummary {
        counts: dataset.manifest().counts.clone(),
        classes: counts,
        labels_per_sample,
        label_sources,
        confidences,
        formats,
        channels: tally(|sample| sample.channels),
        orientations: tally(|sample| sample.orientation),
        width: quantiles(|sample| u64::from(sample.width)),
        height: quantiles(|sample| u64::from(sample.height)),
        bytes: quantiles(|sample| sample.bytes),
        total_bytes: samples.iter().map(|sample| sample.bytes).sum(),
        co_occurrence,
        rejects,
        features,
    })
}

/// Numbers of the labels that were asked for, or of the most frequent.
fn chosen_labels(labels: &[String], counts: &[ClassCount]) -> Result<Vec<usize>, Error> {
    if labels.is_empty() {
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(counts.get(number).map(|c| c.present)));
        order.truncate(CO_OCCURRENCE_LABELS);
        return Ok(order);
    }
    let names: Vec<(&str, &str, u64)> = counts
        .iter()
        .map(|count| {
            (
                count.label_name.as_str(),
                count.display_name.as_str(),
                count.present,
            )
        })
        .collect();
    labels
        .iter()
        .map(|label| crate::selection::resolve_label(label, &names))
        .collect()
}

fn co_occurrence(
    chosen: &[usize],
    counts: &[ClassCount],
    present: &[HashSet<usize>],
) -> CoOccurrence {
    let together = |a: usize, b: usize| {
        present
            .iter()
            .filter(|set| set.contains(&a) && set.contains(&b))
            .count() as u64
    };
    CoOccurrence {
        labels: chosen
            .iter()
            .filter_map(|&number| counts.get(number).map(|count| count.display_name.clone()))
            .collect(),
        counts: chosen
            .iter()
            .map(|&a| chosen.iter().map(|&b| together(a, b)).collect())
            .collect(),
    }
}
