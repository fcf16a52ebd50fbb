//! The verb `predict`: labels for photos, wherever they are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::Instant;

use serde::Serialize;
use sparkles_data::{Location, Reject, Stores};

use crate::featurize::{Featurization, Photo, Worker};
use crate::ingest::{Candidate, OnMissing, gather};
use crate::{Error, FeaturizeOptions, Model, Progress};

/// Photos that a worker takes at a time.
const BATCH: usize = 8;
/// Batches that may be done before one that is not: results wait in memory.
const AHEAD: usize = 64;

/// What to predict.
#[derive(Debug, Clone)]
pub struct PredictRequest {
    /// Folders, files, globs, or text files with one location a line.
    pub images: Vec<String>,
}

/// The labels of one photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Where the photo lives.
    pub location: String,
    /// The sample's id, made as in the dataset that the model was trained on.
    pub sample_id: String,
    /// The label of the highest probability.
    pub prediction: String,
    /// Probability of each label, by label index.
    #[serde(serialize_with = "as_map")]
    pub probability: Vec<(String, f64)>,
}

fn as_map<S: serde::Serializer>(pairs: &[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(label, value)| (label, value)))
}

/// Why a photo has no prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PredictError {
    /// One of the ledger's reasons.
    pub reason: String,
    /// The particulars.
    pub message: String,
}

/// What became of one photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PredictOutcome {
    /// It has labels.
    Predicted(Prediction),
    /// It was refused.
    Refused {
        /// Where the input lives.
        location: String,
        /// Why.
        error: PredictError,
    },
}

impl PredictOutcome {
    fn refused(reject: Reject) -> Self {
        Self::Refused {
            location: reject.location,
            error: PredictError {
                reason: reject.reason.to_string(),
                message: reject.message,
            },
        }
    }
}

/// How many photos there were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PredictSummary {
    /// Inputs that were named: predicted + refused.
    pub found: u64,
    /// Photos with a prediction.
    pub predicted: u64,
    /// Inputs without one.
    pub refused: u64,
    /// Seconds of the whole run.
    pub seconds: f64,
}

/// Predicts photos in order of location; `emit` gets each outcome as soon as its
/// turn has come, and stops it all by an error.
pub fn predict(
    stores: &Stores,
    model: &Model,
    request: &PredictRequest,
    options: &FeaturizeOptions,
    progress: &dyn Progress,
    mut emit: impl FnMut(PredictOutcome) -> Result<(), Error>,
) -> Result<PredictSummary, Error> {
    let started = Instant::now();
    let gathered = gather(stores, &request.images, OnMissing::Refuse)?;
    let found = (gathered.candidates.len() + gathered.rejects.len()) as u64;
    if found == 0 {
        return Err(Error::NothingFound {
            locations: request.images.join("`, `"),
        });
    }
    let photos: Vec<Photo> = gathered
        .candidates
        .iter()
        .map(|c| photo(stores, model, c))
        .collect();
    let backbone = model.open_backbone(options.engine)?;
    let options = FeaturizeOptions {
        alpha: model.pipeline.stages.featurizer.alpha,
        // Nothing is written: there is no part to hold.
        part_rows: BATCH,
        ..options.clone()
    };
    let unused = Location::local(".")?;
    let featurization = Featurization::new(
        stores.clone(),
        unused,
        backbone,
        &options,
        photos.len().div_ceil(BATCH),
    )?;
    let threads = featurization.threads();
    let mut predicted = 0;
    progress.begin("predicting", found);
    let mut count = |outcome: PredictOutcome| {
        predicted += u64::from(matches!(outcome, PredictOutcome::Predicted(_)));
        progress.advance(1);
        emit(outcome)
    };
    // What could not be opened takes its turn among the photos.
    let mut rejects = gathered.rejects.into_iter().peekable();
    let mut candidates = gathered.candidates.iter();
    in_order(&featurization, model, &photos, threads, |outcome| {
        if let Some(candidate) = candidates.next() {
            while let Some(reject) = rejects.next_if(|reject| reject.0 < candidate.location) {
                count(PredictOutcome::refused(reject.1))?;
            }
        }
        count(outcome)
    })?;
    for (_, reject) in rejects {
        count(PredictOutcome::refused(reject))?;
    }
    progress.finish();
    Ok(PredictSummary {
        found,
        predicted,
        refused: found - predicted,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn photo(stores: &Stores, model: &Model, candidate: &Candidate) -> Photo {
    Photo {
        sample_id: model.sample_ids.of(candidate),
        location: candidate.address.clone(),
        bytes: stores
            .version(&candidate.location)
            .map_or(1, |version| version.bytes),
    }
}

/// Runs batches on `threads` workers and hands the outcomes on in order.
fn in_order(
    featurization: &Featurization,
    model: &Model,
    photos: &[Photo],
    threads: usize,
    mut emit: impl FnMut(PredictOutcome) -> Result<(), Error>,
) -> Result<(), Error> {
    let batches: Vec<&[Photo]> = photos.chunks(BATCH).collect();
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let emitted = (Mutex::new(0usize), Condvar::new());
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
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
                    let outcomes = predict_batch(&mut worker, model, batch);
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

fn predict_batch(
    worker: &mut Worker<'_>,
    model: &Model,
    photos: &[Photo],
) -> Result<Vec<PredictOutcome>, Error> {
    let mut outcomes = Vec::with_capacity(photos.len());
    let mut failed = None;
    worker.photos(photos, |photo, result| {
        match result {
            Err(reject) => outcomes.push(PredictOutcome::refused(*reject)),
            Ok(featurized) => match model.regression.probability(&featurized.features) {
                Ok(probability) => {
                    let index = model.regression.prediction(&probability);
                    outcomes.push(PredictOutcome::Predicted(Prediction {
                        location: photo.location.clone(),
                        sample_id: photo.sample_id.clone(),
                        prediction: model.indexer.label(index).unwrap_or_default().to_owned(),
                        probability: model.labels().iter().cloned().zip(probability).collect(),
                    }));
                }
                Err(error) => failed = Some(error),
            },
        }
        failed.is_none()
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(outcomes),
    }
}
