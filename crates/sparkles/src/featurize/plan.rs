//! What is there already, and what is left to compute.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sparkles_data::{
    DataError, FeatureStore, Location, ObjectVersion, Reject, RejectReason, Sample, Stores,
};

use super::Photo;
use crate::Error;

/// Threads that ask for the versions of photos.
const ASKERS: usize = 8;

/// The work of a run.
pub(super) struct Plan {
    /// Photos to compute, in order of sample id.
    pub(super) todo: Vec<Photo>,
    /// Features that still hold.
    pub(super) reused: u64,
    /// Rejects that still hold, by reason.
    pub(super) rejected: BTreeMap<RejectReason, u64>,
    /// Locations whose features hold no longer.
    pub(super) stale: BTreeSet<String>,
    /// Locations whose rejects hold no longer.
    pub(super) retried: BTreeSet<String>,
}

/// Compares what the store has with the photos as they are now.
///
/// A photo that is gone keeps its features: nothing contradicts them.
pub(super) fn make(
    stores: &Stores,
    store: &mut FeatureStore,
    samples: &[&Sample],
) -> Result<Plan, Error> {
    let known: HashMap<String, (String, String)> = store
        .index()?
        .into_iter()
        .map(|row| (row.location, (row.sample_id, row.version)))
        .collect();
    let refused: HashMap<String, Reject> = store
        .rejects()?
        .into_iter()
        .map(|reject| (reject.location.clone(), reject))
        .collect();
    let versions = versions(stores, samples);
    let mut plan = Plan {
        todo: Vec::new(),
        reused: 0,
        rejected: BTreeMap::new(),
        stale: BTreeSet::new(),
        retried: BTreeSet::new(),
    };
    for (sample, version) in samples.iter().zip(versions) {
        let mark = version.as_ref().map(ObjectVersion::mark);
        if let Some((id, known)) = known.get(&sample.location) {
            if *id == sample.sample_id && mark.as_ref().is_none_or(|mark| mark == known) {
                plan.reused += 1;
                continue;
            }
            plan.stale.insert(sample.location.clone());
        } else if let Some(reject) = refused.get(&sample.location) {
            let same_id = reject.sample_id.as_deref() == Some(&*sample.sample_id);
            let same_photo = mark.is_none() || mark == reject.version;
            if same_id && same_photo && !reject.reason.may_pass_later() {
                *plan.rejected.entry(reject.reason).or_insert(0) += 1;
                continue;
            }
            plan.retried.insert(sample.location.clone());
        }
        plan.todo.push(Photo {
            sample_id: sample.sample_id.clone(),
            location: sample.location.clone(),
            bytes: version.map_or(sample.bytes, |version| version.bytes),
        });
    }
    Ok(plan)
}

/// The version of each photo now; `None` where it cannot be told.
fn versions(stores: &Stores, samples: &[&Sample]) -> Vec<Option<ObjectVersion>> {
    let next = AtomicUsize::new(0);
    let versions = Mutex::new(vec![None; samples.len()]);
    std::thread::scope(|scope| {
        for _ in 0..ASKERS.min(samples.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(sample) = samples.get(index) else {
                        return;
                    };
                    let version = Location::parse(&sample.location)
                        .and_then(|location| stores.version(&location))
                        .ok();
                    let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(slot) = versions.get_mut(index) {
                        *slot = version;
                    }
                }
            });
        }
    });
    versions
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// The ledger's reason for a photo that could not be read.
pub(super) fn reading_reason(error: &DataError) -> RejectReason {
    match error {
        DataError::Missing { .. } => RejectReason::Missing,
        _ => RejectReason::Unreadable,
    }
}
