//! The verb `featurize`: every photo of a dataset becomes a feature vector.

mod part;
mod plan;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

use serde::Serialize;
use sparkles_data::{Dataset, FeatureInfo, FeatureStore, PartReceipt, RejectReason, Sample};
use sparkles_vision::{AlphaPolicy, Backbone, Engine};

use crate::backbone::backbone_name;
use crate::memory::peak_memory_bytes;
use crate::{EMBEDDED, Error, MemorySize, Progress, open_backbone};
pub(crate) use part::{BackboneOutput, Photo, Worker};
pub use part::{Featurization, PartRequest};

/// Seconds of work in a part: what a crash costs at most.
const PART_SECONDS: f64 = 10.0;
/// Photos in a part, where there are that many left, and in the first part of a
/// thread, before its speed is known.
const LEAST_PART: usize = 8;

/// How features are computed.
#[derive(Debug, Clone)]
pub struct FeaturizeOptions {
    /// Name of the embedded backbone, or an ONNX file that carries a card.
    pub backbone: String,
    /// What runs it; features that another engine has computed are taken as they
    /// are.
    pub engine: Engine,
    /// What becomes of transparent pixels.
    pub alpha: AlphaPolicy,
    /// The most memory that fetching, decoding and inference may hold.
    pub memory: MemorySize,
    /// Threads that decode and infer; none for one a processor, or fewer where
    /// `memory` does not hold that many.
    pub threads: Option<usize>,
    /// The most rows of a part.
    pub part_rows: usize,
    /// Give up when more photos than this are refused.
    pub max_rejects: Option<RejectLimit>,
}

impl Default for FeaturizeOptions {
    fn default() -> Self {
        Self {
            backbone: EMBEDDED.to_owned(),
            engine: Engine::default(),
            alpha: AlphaPolicy::default(),
            memory: MemorySize(1 << 30),
            threads: None,
            part_rows: 256,
            max_rejects: None,
        }
    }
}

/// How many rejects are too many: a number, or a share of the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RejectLimit {
    /// More than this many.
    Count(u64),
    /// More than this share of the samples, from 0 to 1.
    Share(f64),
}

impl RejectLimit {
    fn is_exceeded(self, rejected: u64, samples: u64) -> bool {
        match self {
            Self::Count(limit) => rejected > limit,
            Self::Share(limit) => rejected as f64 > limit * samples as f64,
        }
    }
}

impl FromStr for RejectLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no limit, expected a count (20) or a share (5%)");
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
                if !(0.0..=100.0).contains(&percent) {
                    return Err(wrong());
                }
                Ok(Self::Share(percent / 100.0))
            }
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for RejectLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Share(share) => write!(formatter, "{}%", share * 100.0),
        }
    }
}

/// What was computed. samples = featurized + reused + rejected.
#[derive(Debug, Clone, Serialize)]
pub struct FeaturizeSummary {
    /// Samples that were asked for.
    pub samples: u64,
    /// Features computed in this run.
    pub featurized: u64,
    /// Features of earlier runs that still hold.
    pub reused: u64,
    /// Samples in the ledger under this feature key.
    pub rejected: u64,
    /// The same by reason.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// Length of a feature vector.
    pub dimension: usize,
    /// Name of the backbone.
    pub backbone: String,
    /// What names these features.
    pub feature_key: String,
    /// Seconds of the whole run.
    pub seconds: f64,
    /// Photos computed a second, rejects included.
    pub images_per_second: f64,
    /// The most memory that the process held, where the system says.
    pub peak_memory_bytes: Option<u64>,
}

/// What names the features of `backbone` in a dataset.
pub(crate) fn feature_info(backbone: &Backbone, alpha: AlphaPolicy) -> FeatureInfo {
    FeatureInfo {
        feature_key: backbone.feature_key(alpha),
        backbone: backbone_name(backbone),
        backbone_hash: backbone.hash().to_owned(),
        dimension: backbone.dimension(),
        alpha: alpha.to_string(),
    }
}

/// Computes the features that a dataset does not have yet.
///
/// Finished parts are committed one by one, so that a run that was stopped,
/// however it was, goes on where it ended. A feature is reused if backbone,
/// preprocessing and the photo's size and etag (or time of change) are the same.
pub fn featurize(
    dataset: &Dataset,
    options: &FeaturizeOptions,
    progress: &dyn Progress,
) -> Result<FeaturizeSummary, Error> {
    let backbone = open_backbone(dataset.stores(), &options.backbone, options.engine)?;
    let samples = dataset.samples()?;
    featurize_samples(
        dataset,
        &backbone,
        &samples.iter().collect::<Vec<_>>(),
        options,
        progress,
    )
}

/// [`featurize`] of some samples, in order of id, with a backbone that is open.
pub(crate) fn featurize_samples(
    dataset: &Dataset,
    backbone: &Backbone,
    samples: &[&Sample],
    options: &FeaturizeOptions,
    progress: &dyn Progress,
) -> Result<FeaturizeSummary, Error> {
    let started = Instant::now();
    let info = feature_info(backbone, options.alpha);
    let mut store = dataset.features(&info)?;
    let mut plan = plan::make(dataset.stores(), &mut store, samples)?;
    let mut locked = false;
    if !plan.todo.is_empty() {
        // Whoever only reads needs no lock; whoever adds looks again under it.
        store.lock()?;
        locked = true;
        plan = plan::make(dataset.stores(), &mut store, samples)?;
        store.forget(&plan.stale, &plan.retried)?;
    } else if store.needs_compaction()? {
        // Tidying can wait while another process is at work, or nothing can be
        // written.
        locked = store.lock().is_ok();
    }

    let featurization = Featurization::new(
        dataset.stores().clone(),
        dataset.root().clone(),
        backbone.clone(),
        options,
        plan.todo.len(),
    )?;
    let threads = featurization.threads();
    let part_rows = options.part_rows.clamp(1, featurization.most_rows());
    let mut rejected = plan.rejected.clone();
    let too_many = |rejected: &BTreeMap<RejectReason, u64>| {
        let count = rejected.values().sum();
        let limit = options.max_rejects?;
        limit
            .is_exceeded(count, samples.len() as u64)
            .then(|| Error::TooManyRejects {
                rejected: count,
                samples: samples.len() as u64,
                limit: limit.to_string(),
            })
    };
    too_many(&rejected).map_or(Ok(()), Err)?;
    let computing = Instant::now();
    progress.begin("featurizing", plan.todo.len() as u64);
    let commit = |receipt: PartReceipt| {
        store.commit(&receipt)?;
        for (reason, count) in receipt.rejected {
            *rejected.entry(reason).or_insert(0) += count;
        }
        too_many(&rejected).map_or(Ok(()), Err)
    };
    run_parts(
        &featurization,
        &plan.todo,
        threads,
        part_rows,
        progress,
        commit,
    )?;
    progress.finish();
    let seconds_computing = computing.elapsed().as_secs_f64();
    if locked && store.needs_compaction()? {
        store.compact()?;
    }

    let wanted: BTreeSet<&str> = samples.iter().map(|sample| &*sample.location).collect();
    let summary = account(&mut store, &wanted, plan.reused)?;
    let computed = plan.todo.len() as f64;
    Ok(FeaturizeSummary {
        dimension: info.dimension,
        backbone: info.backbone,
        feature_key: info.feature_key,
        seconds: started.elapsed().as_secs_f64(),
        images_per_second: if computed > 0.0 {
            computed / seconds_computing
        } else {
            0.0
        },
        peak_memory_bytes: peak_memory_bytes(),
        ..summary
    })
}

/// Counts what is in the tables, not what the run believes: samples asked for =
/// features + rejects.
fn account(
    store: &mut FeatureStore,
    wanted: &BTreeSet<&str>,
    reused: u64,
) -> Result<FeaturizeSummary, Error> {
    let mut with_features = 0;
    for row in store.index()? {
        with_features += u64::from(wanted.contains(row.location.as_str()));
    }
    let mut by_reason = BTreeMap::new();
    for reject in store.rejects()? {
        if wanted.contains(reject.location.as_str()) {
            *by_reason.entry(reject.reason.to_string()).or_insert(0) += 1;
        }
    }
    let rejected: u64 = by_reason.values().sum();
    let samples = wanted.len() as u64;
    if samples != with_features + rejected {
        return Err(Error::Accounting {
            expected: samples,
            found: with_features + rejected,
            what: "samples",
        });
    }
    Ok(FeaturizeSummary {
        samples,
        featurized: with_features - reused,
        reused,
        rejected,
        rejected_by_reason: by_reason,
        dimension: 0,
        backbone: String::new(),
        feature_key: String::new(),
        seconds: 0.0,
        images_per_second: 0.0,
        peak_memory_bytes: None,
    })
}

/// Cuts the work into parts and runs them on `threads` workers; `commit` sees
/// each receipt, one at a time. The first error stops it all; what was committed
/// stays.
fn run_parts(
    featurization: &Featurization,
    todo: &[Photo],
    threads: usize,
    part_rows: usize,
    progress: &dyn Progress,
    mut commit: impl FnMut(PartReceipt) -> Result<(), Error>,
) -> Result<(), Error> {
    let cursor = Mutex::new(0usize);
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let (cursor, stop) = (&cursor, &stop);
            scope.spawn(move || {
                let mut worker = match featurization.worker() {
                    Ok(worker) => worker,
                    Err(error) => {
                        let _ = sender.send(Err(error));
                        return;
                    }
                };
                let mut rows = LEAST_PART;
                while !stop.load(Ordering::Relaxed) {
                    let photos = {
                        let mut cursor = cursor.lock().unwrap_or_else(PoisonError::into_inner);
                        let left = todo.len() - *cursor;
                        // Towards the end parts shrink, so that threads end together.
                        let fair = (left / (2 * threads)).max(LEAST_PART);
                        let count = rows.min(fair).min(part_rows).min(left);
                        let photos = todo.get(*cursor..*cursor + count).unwrap_or_default();
                        *cursor += count;
                        photos
                    };
                    if photos.is_empty() {
                        return;
                    }
                    let begun = Instant::now();
                    let request = featurization.request(photos);
                    let result = worker.featurize_part(&request, &|| progress.advance(1), stop);
                    let rate = photos.len() as f64 / begun.elapsed().as_secs_f64().max(1e-3);
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a positive rate, and `as` saturates"
                    )]
                    let next = (rate * PART_SECONDS) as usize;
                    rows = next.max(LEAST_PART);
                    let failed = result.is_err();
                    if sender.send(result).is_err() || failed {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        for result in receiver {
            if outcome.is_ok() {
                outcome = match result {
                    Ok(Some(receipt)) => commit(receipt),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
            }
            if outcome.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn reject_limits() {
        let count: RejectLimit = "2".parse().unwrap();
        assert!(!count.is_exceeded(2, 10) && count.is_exceeded(3, 10));
        let share: RejectLimit = "5%".parse().unwrap();
        assert!(!share.is_exceeded(5, 100) && share.is_exceeded(6, 100));
        assert_eq!(share.to_string(), "5%");
        for text in ["", "%", "-1", "101%", "x"] {
            assert!(text.parse::<RejectLimit>().is_err(), "{text}");
        }
    }
}
