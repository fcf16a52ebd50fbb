//! ONNX Runtime: the engine of a shared library.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use ::ort::ep::{self, ExecutionProvider as _};
use ::ort::session::builder::GraphOptimizationLevel;
use ::ort::session::{OutputSelector, RunOptions, Session};
use ::ort::value::TensorRef;
use bytes::Bytes;

use super::{Engine, GAVE_UP, Provider, runtime};
use crate::error::BackboneError;
use crate::guard::guarded;

/// A file that was loaded once, to see that it can be.
#[derive(Clone)]
pub(crate) struct Network {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Provider,
    file: Bytes,
    parameters: u64,
    /// The session of the first load, for whoever comes first.
    spare: Mutex<Option<Session>>,
}

impl Network {
    pub(crate) fn load(
        onnx: Cow<'static, [u8]>,
        provider: Provider,
        parameters: u64,
    ) -> Result<Self, BackboneError> {
        let inner = Inner {
            provider,
            parameters,
            spare: Mutex::new(None),
            file: match onnx {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => Bytes::from(bytes),
            },
        };
        let session = inner.session()?;
        *inner.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(crate) fn provider(&self) -> Provider {
        self.inner.provider
    }

    /// Bytes of the file, of which each session makes its weights.
    pub(crate) fn shared_bytes(&self) -> u64 {
        self.inner.file.len() as u64
    }

    /// Bytes of a session's own weights.
    pub(crate) fn session_bytes(&self) -> u64 {
        self.inner.parameters.saturating_mul(WEIGHT_BYTES)
    }

    pub(crate) fn runner(&self) -> Result<Runner, BackboneError> {
        let inner = &self.inner;
        let mut spare = inner.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let session = match spare.take() {
            Some(session) => session,
            None => inner.session()?,
        };
        Ok(Runner {
            session,
            engine: Engine::Ort(inner.provider),
        })
    }
}

/// Bytes of a weight in a session at the peak, which is while it loads. *Measured*: 16
/// on VGG-16, with ONNX Runtime 1.32; four or five stay.
const WEIGHT_BYTES: u64 = 16;

impl Inner {
    fn session(&self) -> Result<Session, BackboneError> {
        let environment = runtime::environment()?;
        let engine = Engine::Ort(self.provider);
        let missing = |detail: String| BackboneError::NoProvider { engine, detail };
        let built_in = match self.provider {
            Provider::Cpu => Ok(true),
            Provider::Cuda => ep::CUDA::is_available(),
            Provider::OpenVino => ep::OpenVINO::is_available(),
        };
        if !built_in.is_ok_and(|built_in| built_in) {
            return Err(missing(
                "this build of ONNX Runtime does not have it".to_owned(),
            ));
        }
        // A failure is an error: nothing falls back to the processor unsaid.
        let provider = match self.provider {
            Provider::Cpu => None,
            Provider::Cuda => Some(
                ep::CUDA::default()
                    // Of 32 bits, TF32 keeps 19. What is measured anew in each
                    // session may choose otherwise.
                    .with_tf32(false)
                    .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
                    .with_arena_extend_strategy(ep::ArenaExtendStrategy::SameAsRequested)
                    .build(),
            ),
            Provider::OpenVino => Some(
                ep::OpenVINO::default()
                    .with_device_type("CPU")
                    .with_precision("FP32")
                    .with_num_threads(1)
                    .build(),
            ),
        };
        let options = || -> ::ort::Result<_> {
            let mut options = Session::builder(environment)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .with_parallel_execution(false)?
                .with_deterministic_compute(true)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                // Weights of 8 bits become floats once, as they do in rten;
                // activations stay floats.
                .with_quant_qdq(false)?;
            ep::CPU::default()
                .with_arena_allocator(false)
                .register(&mut options)?;
            Ok(options)
        };
        let failed = |detail: String| BackboneError::Load { engine, detail };
        guarded(|| {
            let mut options = options().map_err(|error| failed(said(&error)))?;
            if let Some(provider) = provider {
                let registered = provider.register(&mut options);
                registered.map_err(|error| missing(said(&error)))?;
            }
            let session = options.commit_from_memory(&self.file);
            session.map_err(|error| failed(said(&error)))
        })
        .unwrap_or_else(|| Err(failed(GAVE_UP.to_owned())))
    }
}

/// One session: its `run` is not to be called by two threads at once.
pub(crate) struct Runner {
    session: Session,
    engine: Engine,
}

impl Runner {
    /// The values of `output` for one input. The runtime runs the whole graph.
    pub(crate) fn run(
        &mut self,
        input: &str,
        shape: &[usize],
        tensor: &[f32],
        output: &str,
    ) -> Result<Vec<f32>, BackboneError> {
        let engine = self.engine;
        let failed = |detail: String| BackboneError::Run { engine, detail };
        let mut run = || -> ::ort::Result<Vec<f32>> {
            let tensor = TensorRef::from_array_view((shape, tensor))?;
            let wanted = OutputSelector::no_default().with(output);
            let options = RunOptions::new()?.with_outputs(wanted);
            let inputs = vec![(input, tensor)];
            let values = self.session.run_with_options(inputs, &options)?;
            let value = values
                .get(output)
                .ok_or_else(|| ::ort::Error::new("its output is missing"))?;
            let (_, values) = value.try_extract_tensor::<f32>()?;
            Ok(values.to_vec())
        };
        guarded(&mut run)
            .ok_or_else(|| failed(GAVE_UP.to_owned()))?
            .map_err(|error| failed(said(&error)))
    }
}

/// What the runtime said, without the place in its source and the error's code:
/// `file:line function [ONNXRuntimeError] : 1 : FAIL : words`.
fn said(error: &::ort::Error) -> String {
    let message = error.message();
    let words = message.rsplit_once("[ONNXRuntimeError] : ");
    let words = words.and_then(|(_, coded)| coded.splitn(3, " : ").nth(2));
    words.unwrap_or(message).trim().replace('\n', " ")
}
