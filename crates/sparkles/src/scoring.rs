//! Photos, wherever they are, scored one after the other: what `predict` and `tag`
//! share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::Instant;

use serde::Serialize;
use sparkles_data::{Location, Reject, Stores};
use sparkles_vision::Backbone;

use crate::featurize::{BackboneOutput, Featurization, Photo, Worker};
use crate::ingest::{Candidate, OnMissing, gather};
use crate::{Error, FeaturizeOptions, Progress};

/// Photos that a worker takes at a time.
const BATCH: usize = 8;
/// Batches that may be done before one that is not: results wait in memory.
const AHEAD: usize = 64;

/// Why a photo has no score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// One of the ledger's reasons.
    pub reason: String,
    /// The particulars.
    pub message: String,
}

/// What became of one photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PhotoOutcome<T> {
    /// It was scored.
    Scored(T),
    /// It was refused.
    Refused {
        /// Where the input lives.
        location: String,
        /// Why.
        error: Refusal,
    },
}

impl<T> PhotoOutcome<T> {
    fn refused(reject: Reject) -> Self {
        Self::Refused {
            location: reject.location,
            error: Refusal {
                reason: reject.reason.to_string(),
                message: reject.message,
            },
        }
    }
}

/// How many photos there were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScoreSummary {
    /// Inputs that were named: scored + refused.
    pub found: u64,
    /// Photos with a score.
    pub scored: u64,
    /// Inputs without one.
    pub refused: u64,
    /// Seconds of the whole run.
    pub seconds: f64,
}

/// From a photo's vector to its score.
type Score<'a, T> = &'a (dyn Fn(&Photo, &[f32]) -> Result<T, Error> + Sync);

/// What photos are scored by.
pub(crate) struct Scorer<'a, T> {
    pub(crate) backbone: Backbone,
    /// Which of the backbone's outputs `score` gets.
    pub(crate) output: BackboneOutput,
    /// Makes the sample's id.
    pub(crate) sample_id: &'a (dyn Fn(&Candidate) -> String + Sync),
    pub(crate) score: Score<'a, T>,
    /// What the progress bar says.
    pub(crate) doing: &'static str,
}

impl<T: Send> Scorer<'_, T> {
    /// Scores photos in order of location; `emit` gets each outcome as soon as its
    /// turn has come, and stops it all by an error.
    pub(crate) fn run(
        &self,
        stores: &Stores,
        images: &[String],
        options: &FeaturizeOptions,
        progress: &dyn Progress,
        mut emit: impl FnMut(PhotoOutcome<T>) -> Result<(), Error>,
    ) -> Result<ScoreSummary, Error> {
        let started = Instant::now();
        let gathered = gather(stores, images, OnMissing::Refuse)?;
        let found = (gathered.candidates.len() + gathered.rejects.len()) as u64;
        if found == 0 {
            return Err(Error::NothingFound {
                locations: images.join("`, `"),
            });
        }
        let candidates = gathered.candidates.iter();
        let photos: Vec<Photo> = candidates
            .map(|candidate| Photo {
                sample_id: (self.sample_id)(candidate),
                location: candidate.address.clone(),
                bytes: stores
                    .version(&candidate.location)
                    .map_or(1, |version| version.bytes),
            })
            .collect();
        let options = FeaturizeOptions {
            // Nothing is written: there is no part to hold.
            part_rows: BATCH,
            ..options.clone()
        };
        let unused = Location::local(".")?;
        let featurization = Featurization::new(
            stores.clone(),
            unused,
            self.backbone.clone(),
            &options,
            photos.len().div_ceil(BATCH),
        )?;
        let mut scored = 0;
        progress.begin(self.doing, found);
        let mut count = |outcome: PhotoOutcome<T>| {
            scored += u64::from(matches!(outcome, PhotoOutcome::Scored(_)));
            progress.advance(1);
            emit(outcome)
        };
        // What could not be opened takes its turn among the photos.
        let mut rejects = gathered.rejects.into_iter().peekable();
        let mut candidates = gathered.candidates.iter();
        self.in_order(&featurization, &photos, |outcome| {
            if let Some(candidate) = candidates.next() {
                while let Some(reject) = rejects.next_if(|reject| reject.0 < candidate.location) {
                    count(PhotoOutcome::refused(reject.1))?;
                }
            }
            count(outcome)
        })?;
        for (_, reject) in rejects {
            count(PhotoOutcome::refused(reject))?;
        }
        progress.finish();
        Ok(ScoreSummary {
            found,
            scored,
            refused: found - scored,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Runs batches on all workers and hands the outcomes on in order.
    fn in_order(
        &self,
        featurization: &Featurization,
        photos: &[Photo],
        mut emit: impl FnMut(PhotoOutcome<T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let batches: Vec<&[Photo]> = photos.chunks(BATCH).collect();
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let emitted = (Mutex::new(0usize), Condvar::new());
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..featurization.threads() {
                let sender = sender.clone();
                let (batches, next, stop, emitted) = (&batches, &next, &stop, &emitted);
                scope.spawn(move || {
                    let mut worker = match featurization.worker() {
                        Ok(worker) => worker,
                        Err(error) => {
                            let _ = sender.send((0, Err(error)));
                            return;
                        }
                    };
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(batch) = batches.get(index) else {
                            return;
                        };
                        let (done, changed) = emitted;
                        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                        while index >= *done + AHEAD && !stop.load(Ordering::Relaxed) {
                            done = changed.wait(done).unwrap_or_else(PoisonError::into_inner);
                        }
                        drop(done);
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let outcomes = self.batch(&mut worker, batch);
                        if sender.send((index, outcomes)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut waiting = BTreeMap::new();
            let mut turn = 0;
            let mut outcome = Ok(());
            for (index, batch) in receiver {
                match batch {
                    Ok(batch) => {
                        waiting.insert(index, batch);
                    }
                    Err(error) => outcome = outcome.and(Err(error)),
                }
                while outcome.is_ok()
                    && let Some(batch) = waiting.remove(&turn)
                {
                    turn += 1;
                    outcome = batch.into_iter().try_for_each(&mut emit);
                }
                // Both under the lock: a worker that is about to wait must not miss them.
                let (done, changed) = &emitted;
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                *done = turn;
                stop.store(outcome.is_err(), Ordering::Relaxed);
                drop(done);
                changed.notify_all();
            }
            outcome
        })
    }

    fn batch(
        &self,
        worker: &mut Worker<'_>,
        photos: &[Photo],
    ) -> Result<Vec<PhotoOutcome<T>>, Error> {
        let mut outcomes = Vec::with_capacity(photos.len());
        let mut failed = None;
        worker.photos(photos, self.output, |photo, result| {
            match result {
                Err(reject) => outcomes.push(PhotoOutcome::refused(*reject)),
                Ok(computed) => match (self.score)(photo, &computed.values) {
                    Ok(score) => outcomes.push(PhotoOutcome::Scored(score)),
                    Err(error) => failed = Some(error),
                },
            }
            failed.is_none()
        });
        failed.map_or(Ok(outcomes), Err)
    }
}
