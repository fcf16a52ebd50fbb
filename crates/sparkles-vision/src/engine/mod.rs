//! The seam to the engines that run a network.
//!
//! A closed set: [`Engine`] names them, and the two types here are all that the
//! rest of the crate sees of one. The network is loaded once and shared; a
//! [`Session`](crate::Session) has what is its own, above all its one thread.
//! ONNX Runtime shares no weights: there, each session has a copy.

mod ort;
mod rten;
mod runtime;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::BackboneError;

pub(crate) use self::rten::can_load;

/// What runs a backbone. As text: `rten`, `ort`, `ort:cuda`, `ort:openvino`.
///
/// Engines differ by rounding only: by less than 10⁻⁴ of the norm of an image's
/// features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// rten: pure Rust, part of this program.
    #[default]
    Rten,
    /// ONNX Runtime, whose shared library is loaded when it is first asked for.
    ///
    /// The library is the file that the variable `ORT_DYLIB_PATH` names; without
    /// it, the first that serves of those beside this program, in the Python
    /// environment that is active (`VIRTUAL_ENV`), and where the system looks.
    Ort(Provider),
}

/// What ONNX Runtime computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Provider {
    /// Its own kernels, on the processor.
    #[default]
    Cpu,
    /// The first NVIDIA GPU, in full 32-bit precision.
    Cuda,
    /// Intel's OpenVINO on the processor, in full 32-bit precision.
    OpenVino,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 4] = [
        Self::Rten,
        Self::Ort(Provider::Cpu),
        Self::Ort(Provider::Cuda),
        Self::Ort(Provider::OpenVino),
    ];

    /// The engine's name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rten => "rten",
            Self::Ort(Provider::Cpu) => "ort",
            Self::Ort(Provider::Cuda) => "ort:cuda",
            Self::Ort(Provider::OpenVino) => "ort:openvino",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Engine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            format!("`{text}` is no engine: {}", names.join(", "))
        })
    }
}

/// What is said of a panic inside an engine.
const GAVE_UP: &str = "it gave up";

/// A loaded graph, shared by all sessions.
#[derive(Clone)]
pub(crate) enum Network {
    Rten(rten::Network),
    Ort(ort::Network),
}

impl Network {
    /// Loads a file that was checked; `parameters` are the values of its constants.
    pub(crate) fn load(
        onnx: Cow<'static, [u8]>,
        engine: Engine,
        parameters: u64,
    ) -> Result<Self, BackboneError> {
        Ok(match engine {
            Engine::Rten => Self::Rten(rten::Network::load(onnx)?),
            Engine::Ort(provider) => Self::Ort(ort::Network::load(onnx, provider, parameters)?),
        })
    }

    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Rten(_) => Engine::Rten,
            Self::Ort(network) => Engine::Ort(network.provider()),
        }
    }

    /// Bytes that all sessions share.
    pub(crate) fn weight_bytes(&self) -> u64 {
        match self {
            Self::Rten(network) => network.weight_bytes(),
            Self::Ort(network) => network.shared_bytes(),
        }
    }

    /// Bytes that each session has for itself, beside its activations.
    pub(crate) fn session_bytes(&self) -> u64 {
        match self {
            Self::Rten(_) => 0,
            Self::Ort(network) => network.session_bytes(),
        }
    }

    /// A thread's use of the network.
    pub(crate) fn runner(&self) -> Result<Runner, BackboneError> {
        Ok(match self {
            Self::Rten(network) => Runner::Rten(rten::Runner::new(network.clone())),
            Self::Ort(network) => Runner::Ort(network.runner()?),
        })
    }
}

/// One thread that runs a network.
pub(crate) enum Runner {
    Rten(rten::Runner),
    Ort(ort::Runner),
}

impl Runner {
    /// The values of `output` for one input.
    pub(crate) fn run(
        &mut self,
        input: &str,
        shape: &[usize],
        tensor: &[f32],
        output: &str,
    ) -> Result<Vec<f32>, BackboneError> {
        match self {
            Self::Rten(runner) => runner.run(input, shape, tensor, output),
            Self::Ort(runner) => runner.run(input, shape, tensor, output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_words() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        assert_eq!(
            "ort:gpu".parse::<Engine>(),
            Err("`ort:gpu` is no engine: rten, ort, ort:cuda, ort:openvino".to_owned())
        );
    }
}
