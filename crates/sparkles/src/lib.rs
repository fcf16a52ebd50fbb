//! The verbs of sparkles as a library: photos and labels in, an image
//! classifier out.
//!
//! ```text
//! photos ┐
//! labels ┴─ ingest ─▶ DATASET ─ featurize ─▶ features ─ train ─▶ MODEL ─▶ evaluate, predict
//! ```
//!
//! A verb is one function: a typed request in, a summary out, progress through
//! the [`Progress`] trait. Pixels and engines live in `sparkles-vision`, tables
//! in `sparkles-data`, the mathematics in `sparkles-learn`; here they meet.
//!
//! One class of photos in each sub-folder of `photos`:
//!
//! ```no_run
//! use sparkles::{
//!     FeaturizeOptions, IngestRequest, Location, NoProgress, Stores, TrainRequest, ingest, train,
//! };
//!
//! # fn main() -> Result<(), sparkles::Error> {
//! let stores = Stores::new()?;
//! let dataset = Location::parse("pets.sparkles")?;
//! let request = IngestRequest {
//!     images: vec!["photos".into()],
//!     ..IngestRequest::new(dataset)
//! };
//! let (dataset, _) = ingest(&stores, &request, &NoProgress)?;
//! let request = TrainRequest::new(Location::parse("pets.model")?);
//! let summary = train(&dataset, &request, &FeaturizeOptions::default(), &NoProgress)?;
//! println!("{} rows, {} classes", summary.rows, summary.classes);
//! # Ok(())
//! # }
//! ```

mod backbone;
pub mod demo;
mod error;
mod evaluate;
mod explore;
mod export;
mod featurize;
mod ingest;
mod matrix;
mod memory;
mod model;
mod model_card;
mod predict;
mod progress;
mod scoring;
mod selection;
mod tag;
mod train;

pub use backbone::{
    CheckSummary, CutRequest, EMBEDDED, HubError, InspectSummary, ListedBackbone, PullRequest,
    PullSummary, WeightSource, backbones_folder, check as check_backbone, cut as cut_backbone,
    inspect as inspect_backbone, list as list_backbones, open_backbone, pull as pull_backbone,
};
pub use error::Error;
pub use evaluate::{
    EvaluateRequest, EvaluateSummary, LabelMetrics, Mistake, On, PredictionRow, evaluate,
};
pub use explore::{ClassCount, CoOccurrence, ExploreRequest, ExploreSummary, Quantiles, explore};
pub use export::{ExportSummary, export};
pub use featurize::{
    Featurization, FeaturizeOptions, FeaturizeSummary, PartRequest, RejectLimit, featurize,
};
pub use ingest::{IngestRequest, IngestSummary, ingest};
pub use memory::{MemorySize, peak_memory_bytes};
pub use model::{Model, SavedPipeline, check_free as check_model_free};
pub use predict::{PredictRequest, Prediction, predict};
pub use progress::{NoProgress, Progress};
pub use scoring::{PhotoOutcome, Refusal, ScoreSummary};
pub use selection::{Both, LabelSelection, SelectedLabel};
pub use sparkles_data::{DataError, Dataset, Location, RejectReason, Stores};
pub use sparkles_learn::{Family, LogisticRegression, Part, SplitRatio};
pub use sparkles_vision::{
    AlphaPolicy, Architecture, BackboneCard, CardSettings, ChannelOrder, Endpoint, Engine,
    Inspection, PixelRange, Pooling, Preset, ResizeFilter, ResizePolicy, SelfTest, Tag, is_guarded,
};
pub use tag::{TagRequest, TaggedPhoto, tag};
pub use train::{TrainRequest, TrainSummary, train};
