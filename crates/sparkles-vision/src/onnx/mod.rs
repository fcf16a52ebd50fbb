//! ONNX files: read, checked, cut, made.

mod builder;
mod classifier;
mod cut;
mod file;
mod inspect;
mod proto;
mod shapes;

pub(crate) use builder::{ConvolutionWeights, GraphBuilder, Value, Window};
pub use classifier::{ClassifierOutputs, LinearClassifier};
pub use cut::Pooling;
pub use file::{Endpoint, OnnxFile};
pub use inspect::Inspection;
pub(crate) use shapes::Check;
