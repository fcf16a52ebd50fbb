//! Numbers about a model: what was predicted against what is true.
//!
//! Two libraries are the measure, and where they differ the doc says whom we follow:
//! Spark's evaluators and scikit-learn.

mod binary;
mod interval;
mod multiclass;

pub use binary::BinaryScores;
pub use interval::{Z_95, wilson_interval};
pub use multiclass::{ClassMetrics, Confusion, LOG_LOSS_CLIP, log_loss};
