//! ONNX files: read, checked, cut, made.

mod backbone;
mod builder;
mod classifier;
mod cut;
mod file;
mod inspect;
mod pooling;
mod proto;
mod shapes;

pub(crate) use builder::{ConvolutionWeights, GraphBuilder, Value, Window};
pub use classifier::{ClassifierOutputs, LinearClassifier};
pub use file::{Endpoint, OnnxFile};
pub use inspect::Inspection;
pub use pooling::Pooling;
