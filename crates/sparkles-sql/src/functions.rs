//! The functions `features(location)` and `tag(location)`: what a backbone makes of a
//! photo, computed for the query.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListBuilder, Float32Builder, StringArray, StringBuilder,
};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sparkles_vision::{Backbone, BackboneError, Featurizer, ImageHeader};

use crate::photos::PhotoReader;
use crate::tables;

/// The most bytes of features in one batch, and the most rows: what a query need
/// not know any more is not computed by the thousand.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_ROWS: usize = 64;

/// Why the backbone of a session cannot be used.
#[derive(Debug, Clone)]
pub struct OpenError(Arc<dyn Error + Send + Sync>);

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl OpenError {
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }
}

/// Gives the backbone, once a query asks for it.
pub(crate) type Open = Box<dyn Fn() -> Result<Backbone, OpenError> + Send + Sync>;

/// A backbone that is opened when a query first calls one of its functions, and the
/// featurizers of its threads.
pub(crate) struct BackboneFunctions {
    open: Open,
    reader: PhotoReader,
    threads: usize,
    opened: OnceLock<Result<Pool, OpenError>>,
    /// Photos whose decode takes more than a thread's share take turns.
    large: Mutex<()>,
}

/// Featurizers that wait for work; there are never more than threads.
struct Pool {
    backbone: Backbone,
    idle: Mutex<Vec<Featurizer>>,
    returned: Condvar,
}

impl BackboneFunctions {
    /// Of the reader's memory one half is for the photos of all threads, the other for
    /// one that is too large for its thread's share.
    pub(crate) fn new(open: Open, reader: PhotoReader, threads: usize) -> Arc<Self> {
        let reader = PhotoReader {
            memory_bytes: reader.memory_bytes / 2,
            ..reader
        };
        Arc::new(Self {
            open,
            reader,
            threads: threads.max(1),
            opened: OnceLock::new(),
            large: Mutex::new(()),
        })
    }

    /// The functions.
    pub(crate) fn all(self: &Arc<Self>) -> [ScalarUDF; 2] {
        [Output::Features, Output::Tag].map(|output| {
            ScalarUDF::from(BackboneFunction {
                functions: self.clone(),
                output,
                // The same photo, the same answer, as long as nobody changes it.
                signature: Signature::string(1, Volatility::Stable),
            })
        })
    }

    /// The rows of a batch, once a function was called.
    pub(crate) fn batch_rows(&self) -> Option<usize> {
        let pool = self.opened.get()?.as_ref().ok()?;
        let row = 4 * pool.backbone.dimension().max(1);
        Some((BATCH_BYTES / row).clamp(1, BATCH_ROWS))
    }

    /// Why the backbone could not be opened, if it could not.
    pub(crate) fn failed(&self) -> Option<OpenError> {
        self.opened.get()?.as_ref().err().cloned()
    }

    fn pool(&self) -> Result<&Pool> {
        let pool = self.opened.get_or_init(|| {
            // On a thread of its own: reading waits, which those of the runtime must not.
            let backbone = std::thread::scope(|scope| scope.spawn(&self.open).join())
                .map_err(|_| OpenError::new("a thread panicked"))??;
            let featurizers = (0..self.threads)
                .map(|_| Featurizer::new(&backbone, self.reader.alpha))
                .collect::<Result<Vec<_>, BackboneError>>()
                .map_err(OpenError::new)?;
            Ok(Pool {
                backbone,
                idle: Mutex::new(featurizers),
                returned: Condvar::new(),
            })
        });
        let failed = |error: &OpenError| DataFusionError::External(Box::new(error.clone()));
        pool.as_ref().map_err(failed)
    }

    /// Calls `compute` for every location, on all threads; `None` where there is none,
    /// or its photo is refused. In order.
    fn each<T: Send>(
        &self,
        locations: &StringArray,
        compute: impl Fn(&mut Featurizer, &[u8], &ImageHeader) -> Option<T> + Sync,
    ) -> Result<Vec<Option<T>>> {
        let pool = self.pool()?;
        let share = self.reader.memory_bytes / self.threads as u64;
        let photo = |location: &str| {
            let (bytes, header) = self.reader.open(location)?;
            let _turn = (header.decode_bytes() > share)
                .then(|| self.large.lock().unwrap_or_else(PoisonError::into_inner));
            let mut featurizer = pool.take();
            let computed = compute(&mut featurizer, &bytes, &header);
            pool.give_back(featurizer);
            computed
        };
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let row = next.fetch_add(1, Ordering::Relaxed);
                if row >= locations.len() {
                    return done;
                }
                if !locations.is_null(row) {
                    done.push((row, photo(locations.value(row))));
                }
            }
        };
        let mut rows: Vec<Option<T>> = Vec::new();
        rows.resize_with(locations.len(), || None);
        // Threads of their own: fetching waits, which those of the runtime must not.
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads.min(locations.len()))
                .map(|_| scope.spawn(work))
                .collect();
            for worker in workers {
                let done = worker
                    .join()
                    .map_err(|_| DataFusionError::Execution("a thread panicked".to_owned()))?;
                for (row, computed) in done {
                    if let Some(place) = rows.get_mut(row) {
                        *place = computed;
                    }
                }
            }
            Ok(rows)
        })
    }

    fn features(&self, locations: &StringArray) -> Result<ArrayRef> {
        let dimension = self.pool()?.backbone.dimension();
        let rows = self.each(locations, |featurizer, bytes, header| {
            featurizer.features(bytes, header).ok()
        })?;
        let values = Float32Builder::with_capacity(rows.len() * dimension);
        let length = i32::try_from(dimension).unwrap_or(i32::MAX);
        let mut list = FixedSizeListBuilder::new(values, length).with_field(tables::element());
        for row in &rows {
            match row {
                Some(features) => list.values().append_slice(features),
                None => list.values().append_value_n(0.0, dimension),
            }
            list.append(row.is_some());
        }
        Ok(Arc::new(list.finish()))
    }

    fn tag(&self, locations: &StringArray) -> Result<ArrayRef> {
        let card = self.pool()?.backbone.card();
        if card.logits_output.is_none() {
            return Err(DataFusionError::Execution(
                BackboneError::NoLogits.to_string(),
            ));
        }
        let rows = self.each(locations, |featurizer, bytes, header| {
            let logits = featurizer.logits(bytes, header).ok()?;
            card.tags(&logits, 1).pop().map(|tag| tag.class)
        })?;
        let mut names = StringBuilder::new();
        for row in rows {
            names.append_option(row);
        }
        Ok(Arc::new(names.finish()))
    }
}

impl fmt::Debug for BackboneFunctions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BackboneFunctions")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Pool {
    fn take(&self) -> Featurizer {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(featurizer) = idle.pop() {
                return featurizer;
            }
            idle = self
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, featurizer: Featurizer) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(featurizer);
        self.returned.notify_one();
    }
}

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Output {
    /// A list of 32-bit floats.
    Features,
    /// The name of the most probable of the backbone's own classes.
    Tag,
}

#[derive(Debug)]
struct BackboneFunction {
    functions: Arc<BackboneFunctions>,
    output: Output,
    signature: Signature,
}

// A session has one backbone: its functions differ by what they give.
impl PartialEq for BackboneFunction {
    fn eq(&self, other: &Self) -> bool {
        self.output == other.output
    }
}

impl Eq for BackboneFunction {}

impl std::hash::Hash for BackboneFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.output.hash(state);
    }
}

impl ScalarUDFImpl for BackboneFunction {
    fn name(&self) -> &'static str {
        match self.output {
            Output::Features => "features",
            Output::Tag => "tag",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let pool = self.functions.pool()?;
        Ok(match self.output {
            Output::Tag => DataType::Utf8,
            Output::Features => {
                let length = i32::try_from(pool.backbone.dimension()).unwrap_or(i32::MAX);
                tables::vector(Some(length))
            }
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(argument) = args.args.first() else {
            return Err(DataFusionError::Internal(
                "a function without its argument".to_owned(),
            ));
        };
        let is_scalar = matches!(argument, ColumnarValue::Scalar(_));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let locations = argument.cast_to(&DataType::Utf8, None)?.into_array(rows)?;
        let locations = locations.as_string::<i32>();
        let computed = match self.output {
            Output::Features => self.functions.features(locations)?,
            Output::Tag => self.functions.tag(locations)?,
        };
        Ok(if is_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?)
        } else {
            ColumnarValue::Array(computed)
        })
    }
}
