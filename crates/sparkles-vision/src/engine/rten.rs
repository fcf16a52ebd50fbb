//! rten: an engine in Rust.

use std::borrow::Cow;
use std::sync::Arc;

use ::rten::{LoadErrorKind, Model, ModelOptions, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::TensorView;

use super::{Engine, GAVE_UP};
use crate::error::BackboneError;
use crate::guard::guarded;

/// A loaded graph with its weights, shared by all sessions.
#[derive(Clone)]
pub(crate) struct Network {
    model: Arc<Model>,
}

impl Network {
    pub(crate) fn load(onnx: Cow<'static, [u8]>) -> Result<Self, BackboneError> {
        let options = ModelOptions::with_all_ops();
        let model = guarded(|| match onnx {
            Cow::Borrowed(bytes) => options.load_static_slice(bytes),
            Cow::Owned(bytes) => options.load(bytes),
        });
        let Some(model) = model else {
            return Err(BackboneError::Load {
                engine: Engine::Rten,
                detail: GAVE_UP.to_owned(),
            });
        };
        let model = model.map_err(|error| match error.kind() {
            LoadErrorKind::UnknownFileType | LoadErrorKind::ParseError => BackboneError::NotOnnx {
                detail: error.to_string(),
            },
            _ => BackboneError::Load {
                engine: Engine::Rten,
                detail: error.to_string(),
            },
        })?;
        Ok(Self {
            model: Arc::new(model),
        })
    }

    /// Bytes of the weights: four each, whatever the file stores.
    pub(crate) fn weight_bytes(&self) -> u64 {
        u64::try_from(self.model.total_params())
            .unwrap_or(u64::MAX)
            .saturating_mul(4)
    }
}

/// One thread that runs a network.
pub(crate) struct Runner {
    network: Network,
    /// Without a pool of its own a session would use one as large as the
    /// machine, which all sessions share.
    pool: Arc<ThreadPool>,
}

impl Runner {
    pub(crate) fn new(network: Network) -> Self {
        Self {
            network,
            pool: Arc::new(ThreadPool::with_num_threads(1)),
        }
    }

    /// The values of `output` for one input. Only what that output needs runs.
    pub(crate) fn run(
        &self,
        input: &str,
        shape: &[usize],
        tensor: &[f32],
        output: &str,
    ) -> Result<Vec<f32>, BackboneError> {
        let failed = |detail: String| BackboneError::Run {
            engine: Engine::Rten,
            detail,
        };
        let node = |name: &str| {
            let node = self.network.model.node_id(name);
            node.map_err(|error| failed(error.to_string()))
        };
        let (input, output) = (node(input)?, node(output)?);
        let view = TensorView::try_from_data(shape, tensor)
            .map_err(|error| failed(format!("{error:?}")))?;
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let inputs = vec![(input, ValueOrView::from(view))];
        let values = guarded(|| self.network.model.run(inputs, &[output], Some(options)))
            .ok_or_else(|| failed(GAVE_UP.to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        let value = values.into_iter().next();
        let tensor = value
            .and_then(::rten::Value::into_tensor::<f32>)
            .ok_or_else(|| failed("its output is no tensor of 32-bit floats".to_owned()))?;
        let mut values = tensor.into_data();
        // The engine's buffer may be hundreds of times larger than what is in it.
        values.shrink_to_fit();
        Ok(values)
    }
}

/// Whether a file can be loaded, or why not. Nothing in it is worked out.
pub(crate) fn can_load(onnx: Vec<u8>) -> Result<(), String> {
    match load_plain(onnx) {
        Ok(_) => Ok(()),
        // The last words name the reason, those before it the place.
        Err(error) => Err(error.rsplit(": ").next().unwrap_or_default().to_owned()),
    }
}

/// A graph as it stands in the file: an optimised one lacks some of its values.
fn load_plain(onnx: Vec<u8>) -> Result<Model, String> {
    let mut options = ModelOptions::with_all_ops();
    options.enable_optimization(false);
    guarded(|| options.load(onnx))
        .ok_or(GAVE_UP)?
        .map_err(|error| error.to_string())
}
