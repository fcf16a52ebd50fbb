//! Learning from features: slices in, structs out.
//!
//! What is here, in the order of a job:
//!
//! - [`StringIndexer`]: labels to label indices
//! - [`SplitRatio`]: which samples train, which are held back
//! - [`LogisticRegression`]: features and label indices to a model, on [`Lbfgs`]
//! - [`metrics`]: how good the model is
//!
//! What is not: pixels, files, Arrow, async. This crate depends on `thiserror`, `serde`
//! and `blake3`, and knows samples only as rows of a [`Matrix`].
//!
//! Params, defaults and results are those of Spark ML, and are tested against it and
//! scikit-learn. Features are `f32`, sums and optimisation `f64`. **The bits of a result
//! never depend on the number of threads**: rows are summed in chunks of a fixed size,
//! and chunk sums are added in order.
//!
//! The optimiser sees data only through [`Objective`]: parameter vectors in, losses and
//! gradients out, one pass over the data per call.
//!
//! ```
//! use sparkles_learn::metrics::{Confusion, Z_95, wilson_interval};
//! use sparkles_learn::{LogisticRegression, Matrix, Part, SplitRatio, StringIndexer};
//!
//! # fn main() -> Result<(), sparkles_learn::LearnError> {
//! // Photos of cars are bright in the first feature, trees in the second.
//! let samples: Vec<(String, &str, [f32; 2])> = (0..200u8)
//!     .map(|i| {
//!         let noise = f32::from(i.wrapping_mul(37)) / 255.0;
//!         match i % 2 {
//!             0 => (format!("photo-{i}"), "Car", [1.0 + noise, noise]),
//!             _ => (format!("photo-{i}"), "Tree", [noise, 1.0 + noise]),
//!         }
//!     })
//!     .collect();
//!
//! let indexer = StringIndexer::default().fit(samples.iter().map(|sample| sample.1));
//! let ratio: SplitRatio = "0.8,0.2".parse()?;
//! let rows = |part| {
//!     let chosen = samples.iter().filter(|sample| ratio.part(&sample.0, 42) == part);
//!     let labels: Vec<u32> = chosen.clone().filter_map(|s| indexer.index(s.1)).collect();
//!     let values = chosen.flat_map(|sample| sample.2).collect();
//!     Matrix::new(2, values).map(|features| (features, labels))
//! };
//!
//! let (features, labels) = rows(Part::Train)?;
//! let classes = indexer.labels().len();
//! let (model, summary) = LogisticRegression::default().fit(&features, &labels, classes, None)?;
//! assert!(summary.converged);
//!
//! let (features, labels) = rows(Part::Test)?;
//! let predictions = features
//!     .iter()
//!     .map(|row| Ok(model.prediction(&model.probability(row)?)))
//!     .collect::<Result<Vec<u32>, sparkles_learn::LearnError>>()?;
//! let confusion = Confusion::new(classes, &labels, &predictions, None)?;
//! assert_eq!(confusion.accuracy(), 1.0);
//! let (low, high) = wilson_interval(confusion.correct(), confusion.rows(), Z_95);
//! assert!(low > 0.85 && high == 1.0);
//! # Ok(())
//! # }
//! ```

mod chunks;
mod error;
mod geometry;
mod indexer;
mod lanes;
mod lbfgs;
mod line_search;
mod logistic;
mod logistic_objective;
mod matrix;
pub mod metrics;
mod model;
mod objective;
mod split;
mod statistics;

pub use error::LearnError;
pub use indexer::{LabelOrder, StringIndexer, StringIndexerModel};
pub use lbfgs::{Lbfgs, Minimum, StopReason};
pub use logistic::{Family, FitSummary, LogisticRegression};
pub use matrix::Matrix;
pub use model::LogisticRegressionModel;
pub use objective::{Evaluation, Objective};
pub use split::{Part, SplitRatio};
pub use statistics::ColumnStatistics;
