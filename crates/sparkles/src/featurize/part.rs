//! One part: a list of photos in, one file of features and its rejects out.

use std::io::Cursor;
use std::sync::atomic::{AtomicBool, Ordering};

use sparkles_data::{
    FeatureInfo, FeatureRow, Location, PartReceipt, Reject, RejectReason, Stage, Stores, part_name,
    write_part,
};
use sparkles_vision::{AlphaPolicy, Backbone, Featurizer, ImageError, read_header};

use super::plan::reading_reason;
use super::window::{Fetched, Window};
use super::{FeaturizeOptions, feature_info};
use crate::backbone::backbone_name;
use crate::memory::Budget;
use crate::{Error, MemorySize};

/// What the process holds before the first photo: code, runtime, tables.
const BASE_BYTES: u64 = 24 << 20;
/// The least that fetching and decoding are left with.
const LEAST_BYTES: u64 = 16 << 20;
/// The most that is fetched ahead.
const WINDOW_BYTES: u64 = 64 << 20;
/// Features in a part, in bytes.
const PART_BYTES: usize = 8 << 20;
/// Rows of a part.
const PART_ROWS: usize = 2048;
/// A row of a part is held as features, as a column and as a file.
const PART_COPIES: u64 = 3;

/// A photo to be featurized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// The sample's id.
    pub sample_id: String,
    /// Where it lives.
    pub location: String,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// A piece of work that can run anywhere, more than once, and leaves one result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRequest {
    /// The dataset that the part belongs to.
    pub dataset: Location,
    /// What names the features.
    pub feature_key: String,
    /// The photos.
    pub photos: Vec<Photo>,
}

impl PartRequest {
    /// The name of the part: a hash of what it holds.
    pub fn name(&self) -> String {
        let photos = self.photos.iter();
        part_name(
            &self.feature_key,
            photos.map(|photo| (photo.location.as_str(), "")),
        )
    }
}

/// What the workers of a process share: backbone, stores and budgets.
#[derive(Debug)]
pub struct Featurization {
    stores: Stores,
    dataset: Location,
    backbone: Backbone,
    info: FeatureInfo,
    alpha: AlphaPolicy,
    threads: usize,
    window: Budget,
    decoding: Budget,
}

/// One thread's featurizer with its share of a [`Featurization`].
pub struct Worker<'a> {
    shared: &'a Featurization,
    featurizer: Featurizer,
}

/// Which of a backbone's outputs is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackboneOutput {
    Features,
    /// Those of the backbone's own classes.
    Logits,
}

/// A photo's features or logits and what they were made from.
pub(crate) struct Computed {
    pub(crate) values: Vec<f32>,
    version: String,
    content_hash: String,
}

impl Featurization {
    /// Divides `options.memory` among the stages of a job of so many photos: what
    /// is left after weights, threads and parts goes to fetching (a quarter) and
    /// decoding.
    pub fn new(
        stores: Stores,
        dataset: Location,
        backbone: Backbone,
        options: &FeaturizeOptions,
        photos: usize,
    ) -> Result<Self, Error> {
        let wrap = |source| Error::Backbone {
            name: options.backbone.clone(),
            source,
        };
        let featurizer = Featurizer::new(&backbone, options.alpha).map_err(wrap)?;
        let rows = most_rows(backbone.dimension()).min(options.part_rows.max(1));
        let part = rows as u64 * backbone.dimension() as u64 * 4 * PART_COPIES;
        let per_thread = featurizer.memory_bytes() + part;
        let fixed =
            |threads: usize| BASE_BYTES + backbone.weight_bytes() + threads as u64 * per_thread;
        let fits = |threads: usize| fixed(threads) + LEAST_BYTES <= options.memory.0;
        let mut threads = options
            .threads
            .unwrap_or_else(available_threads)
            .clamp(1, photos.max(1));
        if options.threads.is_none() {
            while threads > 1 && !fits(threads) {
                threads -= 1;
            }
        }
        let rest = options.memory.0.saturating_sub(fixed(threads));
        if !fits(threads) {
            return Err(Error::MemoryTooSmall {
                asked: options.memory.to_string(),
                least_mebibytes: (fixed(threads) + LEAST_BYTES).div_ceil(1 << 20),
                backbone: backbone_name(&backbone),
                threads,
            });
        }
        let window = (rest / 4).min(WINDOW_BYTES);
        Ok(Self {
            info: feature_info(&backbone, options.alpha),
            stores,
            dataset,
            backbone,
            alpha: options.alpha,
            threads,
            window: Budget::new(window),
            decoding: Budget::new(rest - window),
        })
    }

    /// Threads that the memory holds.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The most photos of a part, so that its features stay small.
    pub(super) fn most_rows(&self) -> usize {
        most_rows(self.info.dimension)
    }

    /// The request for these photos.
    pub fn request(&self, photos: &[Photo]) -> PartRequest {
        PartRequest {
            dataset: self.dataset.clone(),
            feature_key: self.info.feature_key.clone(),
            photos: photos.to_vec(),
        }
    }

    /// A worker for one thread.
    pub fn worker(&self) -> Result<Worker<'_>, Error> {
        let featurizer =
            Featurizer::new(&self.backbone, self.alpha).map_err(|source| Error::Backbone {
                name: self.info.backbone.clone(),
                source,
            })?;
        Ok(Worker {
            shared: self,
            featurizer,
        })
    }
}

/// Below the rows of a compacted file, so that every part is merged into one.
fn most_rows(dimension: usize) -> usize {
    (PART_BYTES / (4 * dimension.max(1))).clamp(1, PART_ROWS)
}

/// As many threads as the machine runs at once.
pub(crate) fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl Worker<'_> {
    /// Computes one part and writes its files; they exist once the receipt is
    /// committed. `None` if `stop` was set before the part was done.
    ///
    /// Synchronous and idempotent: it knows neither the loop nor the cluster that
    /// calls it.
    pub fn featurize_part(
        &mut self,
        request: &PartRequest,
        done: &dyn Fn(),
        stop: &AtomicBool,
    ) -> Result<Option<PartReceipt>, Error> {
        let mut rows = Vec::with_capacity(request.photos.len());
        let mut rejects = Vec::new();
        let finished = self.photos(
            &request.photos,
            BackboneOutput::Features,
            |photo, result| {
                match result {
                    Ok(computed) => rows.push(FeatureRow {
                        sample_id: photo.sample_id.clone(),
                        location: photo.location.clone(),
                        version: computed.version,
                        content_hash: computed.content_hash,
                        features: computed.values,
                    }),
                    Err(reject) => rejects.push(*reject),
                }
                done();
                !stop.load(Ordering::Relaxed)
            },
        );
        if !finished {
            return Ok(None);
        }
        let shared = self.shared;
        let receipt = write_part(
            &shared.stores,
            &request.dataset,
            &shared.info,
            &request.name(),
            rows,
            &rejects,
        )?;
        Ok(Some(receipt))
    }

    /// Calls `each` with the output of every photo, or why there is none, in order,
    /// until it returns false. Whether it never did.
    pub(crate) fn photos(
        &mut self,
        photos: &[Photo],
        output: BackboneOutput,
        mut each: impl FnMut(&Photo, Result<Computed, Box<Reject>>) -> bool,
    ) -> bool {
        let shared = self.shared;
        for (photo, fetched) in Window::new(&shared.stores, &shared.window, photos) {
            let result = self.photo(photo, output, fetched);
            if !each(photo, result) {
                return false;
            }
        }
        true
    }

    fn photo(
        &mut self,
        photo: &Photo,
        output: BackboneOutput,
        fetched: Fetched,
    ) -> Result<Computed, Box<Reject>> {
        let shared = self.shared;
        let refuse = |reason, message, version| {
            Box::new(Reject {
                location: photo.location.clone(),
                sample_id: Some(photo.sample_id.clone()),
                stage: Stage::Featurize,
                feature_key: Some(shared.info.feature_key.clone()),
                reason,
                message,
                version,
            })
        };
        let (bytes, version, grant) = match fetched {
            Fetched::Bytes(bytes, version, grant) => (bytes, version, grant),
            Fetched::Failed(error) => {
                return Err(refuse(
                    reading_reason(&error),
                    crate::error::chain(&error),
                    None,
                ));
            }
            Fetched::TooLarge => {
                let message = format!(
                    "the file has {}, the window for fetching {}",
                    MemorySize(photo.bytes),
                    MemorySize(shared.window.total())
                );
                return Err(refuse(RejectReason::TooLarge, message, None));
            }
        };
        let mark = version.mark();
        if version.bytes != bytes.len() as u64 {
            let message = format!(
                "the file changed while it was read: {} bytes, then {}",
                photo.bytes, version.bytes
            );
            return Err(refuse(RejectReason::Unreadable, message, None));
        }
        let vision = |error: &ImageError| {
            refuse(
                crate::ingest::reject_reason(error),
                crate::error::chain(error),
                Some(mark.clone()),
            )
        };
        let header = read_header(Cursor::new(bytes.as_ref())).map_err(|error| vision(&error))?;
        let needed = header.decode_bytes();
        let Some(decoding) = shared.decoding.acquire(needed) else {
            let message = format!(
                "decoding {} x {} pixels takes {}, the budget for decoding is {}",
                header.width,
                header.height,
                MemorySize(needed),
                MemorySize(shared.decoding.total())
            );
            return Err(refuse(RejectReason::TooLarge, message, Some(mark)));
        };
        let values = match output {
            BackboneOutput::Features => self.featurizer.features(&bytes, &header),
            BackboneOutput::Logits => self.featurizer.logits(&bytes, &header),
        };
        let values = values.map_err(|error| vision(&error))?;
        drop((decoding, grant));
        Ok(Computed {
            values,
            version: mark,
            content_hash: blake3::hash(&bytes).to_hex().to_string(),
        })
    }
}
