//! What the headers of many images say.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use sparkles_data::{DataError, Reject, RejectReason, Sample, Stores};
use sparkles_vision::{ImageError, read_header};

use super::images::Candidate;
use crate::Progress;

/// Threads that read headers: they wait for disks and networks, not for processors.
const READERS: usize = 8;

/// Reads the header of each candidate: a sample, or a line in the ledger.
pub(super) fn read_headers(
    stores: &Stores,
    candidates: &[(Candidate, String)],
    rejects: &mut Vec<Reject>,
    progress: &dyn Progress,
) -> Vec<Sample> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((Vec::with_capacity(candidates.len()), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while let Some((candidate, id)) =
                    candidates.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let result = read_one(stores, candidate, id);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Ok(sample) => results.0.push(sample),
                        Err(reject) => results.1.push(*reject),
                    }
                    drop(results);
                    progress.advance(1);
                }
            });
        }
    });
    let (samples, refused) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    rejects.extend(refused);
    samples
}

fn read_one(stores: &Stores, candidate: &Candidate, id: &str) -> Result<Sample, Box<Reject>> {
    let refuse =
        |reason, message| Box::new(super::reject(&candidate.address, Some(id), reason, message));
    let reader = stores.reader(&candidate.location).map_err(|error| {
        let reason = match &error {
            DataError::Missing { .. } => RejectReason::Missing,
            _ => RejectReason::Unreadable,
        };
        refuse(reason, crate::error::chain(&error))
    })?;
    let version = reader.get_ref().version().clone();
    let header = read_header(reader)
        .map_err(|error| refuse(reject_reason(&error), crate::error::chain(&error)))?;
    let (width, height) = header.upright_size();
    Ok(Sample {
        sample_id: id.to_owned(),
        location: candidate.address.clone(),
        bytes: version.bytes,
        etag: version.etag,
        modified: version.modified,
        format: header.format.to_string(),
        height,
        width,
        channels: header.channels,
        orientation: header.orientation.exif(),
    })
}

/// The ledger's reason for what vision refused.
pub(crate) fn reject_reason(error: &ImageError) -> RejectReason {
    RejectReason::from_name(error.reason()).unwrap_or(RejectReason::Unreadable)
}
