//! The seam to the engines that run a network.
//!
//! A closed set: [`Engine`] names them, and the two types here are all that the
//! rest of the crate sees of one. The network is loaded once and shared; a
//! [`Session`](crate::Session) has what is its own, above all its one thread.

mod rten;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::card::BackboneCard;
use crate::error::BackboneError;

pub(crate) use self::rten::{can_load, shapes};

/// What runs a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// rten: pure Rust, part of this program.
    #[default]
    Rten,
}

impl Engine {
    /// The engine's name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rten => "rten",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rten" => Ok(Self::Rten),
            _ => Err(format!("`{text}` is no engine: rten")),
        }
    }
}

/// What is said of a panic inside an engine.
const GAVE_UP: &str = "it gave up";

/// A loaded graph, shared by all sessions.
#[derive(Clone)]
pub(crate) enum Network {
    Rten(rten::Network),
}

impl Network {
    /// Loads a file and reads its card. What the card names is in the graph.
    pub(crate) fn load(
        onnx: Cow<'static, [u8]>,
        engine: Engine,
    ) -> Result<(Self, BackboneCard), BackboneError> {
        let (network, card) = match engine {
            Engine::Rten => {
                let network = rten::Network::load(onnx)?;
                let card = BackboneCard::from_metadata(network.metadata())?;
                (Self::Rten(network), card)
            }
        };
        network.expect(Role::Input, &card.input)?;
        network.expect(Role::Output, &card.feature_output)?;
        if let Some(name) = &card.logits_output {
            network.expect(Role::Output, name)?;
        }
        Ok((network, card))
    }

    fn expect(&self, role: Role, name: &str) -> Result<(), BackboneError> {
        let found = match self {
            Self::Rten(network) => network.names(role),
        };
        if found.iter().any(|found| found == name) {
            return Ok(());
        }
        let found: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
        Err(BackboneError::NoSuchNode {
            role: role.name(),
            name: name.to_owned(),
            found: found.join(", "),
        })
    }

    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Rten(_) => Engine::Rten,
        }
    }

    /// Bytes that all sessions share.
    pub(crate) fn weight_bytes(&self) -> u64 {
        match self {
            Self::Rten(network) => network.weight_bytes(),
        }
    }

    /// A thread's use of the network.
    pub(crate) fn runner(&self) -> Runner {
        match self {
            Self::Rten(network) => Runner::Rten(rten::Runner::new(network.clone())),
        }
    }
}

/// Which end of the graph a node is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Input,
    Output,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// One thread that runs a network.
pub(crate) enum Runner {
    Rten(rten::Runner),
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
        }
    }
}
