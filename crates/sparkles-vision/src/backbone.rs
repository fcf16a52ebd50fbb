//! A pretrained network with its card, and the sessions that run it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::PIXEL_PIPELINE_VERSION;
use crate::card::{BackboneCard, Layout};
use crate::engine::{Engine, Network, Runner};
use crate::error::{BackboneError, OnnxError};
use crate::onnx::{Endpoint, OnnxFile};
use crate::pixels::{AlphaPolicy, as_index};

/// A pretrained network without its classifier head, with its preprocessing.
///
/// Clones share the weights. Each thread makes its own [`Session`], or rather a
/// [`Featurizer`](crate::Featurizer), which has one.
#[derive(Clone)]
pub struct Backbone {
    inner: Arc<Inner>,
}

struct Inner {
    card: BackboneCard,
    hash: String,
    network: Network,
    /// Of one image, at the peak.
    activation_bytes: u64,
}

impl Backbone {
    /// Reads an ONNX file that carries a card. The bytes are a `Vec<u8>`, or
    /// `&'static [u8]` as embedded ones are, which saves a copy.
    pub fn from_onnx(onnx: impl Into<Cow<'static, [u8]>>) -> Result<Self, BackboneError> {
        Self::with_engine(onnx, Engine::default())
    }

    /// [`Self::from_onnx`], run by `engine`.
    pub fn with_engine(
        onnx: impl Into<Cow<'static, [u8]>>,
        engine: Engine,
    ) -> Result<Self, BackboneError> {
        let onnx = onnx.into();
        let hash = blake3::hash(&onnx).to_hex().to_string();
        let (bytes, embedded) = match onnx {
            Cow::Borrowed(bytes) => (Bytes::from_static(bytes), Some(bytes)),
            Cow::Owned(bytes) => (Bytes::from(bytes), None),
        };
        let file = OnnxFile::parse(bytes.clone()).map_err(|error| match error {
            OnnxError::NotOnnx { detail } => BackboneError::NotOnnx { detail },
            error => BackboneError::Graph(error),
        })?;
        let card = BackboneCard::from_metadata(file.metadata())?;
        expect_ends(&file, &card)?;
        let activation_bytes = file
            .check(&card.input, &input_shape(&card))
            .map_err(BackboneError::Graph)?;
        let parameters = file.parameters();
        drop(file);
        // Nothing else holds the bytes any more, so that they are not copied.
        let onnx = match embedded {
            Some(embedded) => Cow::Borrowed(embedded),
            None => Cow::Owned(bytes.into()),
        };
        let network = Network::load(onnx, engine, parameters)?;
        Ok(Self {
            inner: Arc::new(Inner {
                card,
                hash,
                network,
                activation_bytes,
            }),
        })
    }

    /// The card.
    pub fn card(&self) -> &BackboneCard {
        &self.inner.card
    }

    /// The BLAKE3 hash of the file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.inner.hash
    }

    /// How many features an image gets.
    pub fn dimension(&self) -> usize {
        self.inner.card.feature_dimension
    }

    /// Bytes in memory that all sessions share: the weights, or the file where
    /// the engine gives each session its own weights.
    pub fn weight_bytes(&self) -> u64 {
        self.inner.network.weight_bytes()
    }

    /// A session, for one thread.
    pub fn session(&self) -> Result<Session, BackboneError> {
        Ok(Session {
            runner: self.inner.network.runner()?,
            backbone: self.clone(),
        })
    }

    /// What names the features of this backbone: 64 hexadecimal digits that
    /// change with anything that changes a value. They are the hash of the
    /// file's hash (and so its weights), the preprocessing, the pooling, the
    /// precision, the alpha policy and [`PIXEL_PIPELINE_VERSION`]. Engines
    /// differ by rounding only and are not in it.
    pub fn feature_key(&self, alpha: AlphaPolicy) -> String {
        let card = self.card();
        let text = format!(
            "sparkles features\nfile {}\npreprocessing {}x{} {} {} {} {} {} {} {:?} {:?}\n\
             output {} {}\npooling mean\nprecision f32\nalpha {}\npixels {}\n",
            self.hash(),
            card.width,
            card.height,
            card.layout.name(),
            card.channel_order.name(),
            card.pixel_range.name(),
            card.resize_filter.name(),
            card.resize_policy.name(),
            card.crop_fraction,
            card.mean,
            card.standard_deviation,
            card.feature_output,
            card.feature_dimension,
            alpha,
            PIXEL_PIPELINE_VERSION,
        );
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// The engine that runs it.
    pub fn engine(&self) -> Engine {
        self.inner.network.engine()
    }
}

impl fmt::Debug for Backbone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backbone")
            .field("card", &self.inner.card)
            .field("hash", &self.inner.hash)
            .finish_non_exhaustive()
    }
}

/// One thread's use of a backbone.
///
/// An image's values depend on that image alone: not on what ran before, nor on
/// other sessions.
pub struct Session {
    runner: Runner,
    backbone: Backbone,
}

impl Session {
    /// Bytes that an engine holds for a session beside weights and activations: a
    /// thread's stack, and the blocks that matrices are packed into. *Measured*
    /// (`examples/memory.rs`): ResNet-50 and VGG-16, whose activations are estimated
    /// most closely, take 2.1 and 2.0 million bytes more than those.
    pub const OWN_BYTES: u64 = 4 * 1024 * 1024;

    /// The features of one input tensor, [`Backbone::dimension`] of them.
    pub fn features(&mut self, tensor: &[f32]) -> Result<Vec<f32>, BackboneError> {
        let card = &self.backbone.inner.card;
        let features = run(&mut self.runner, card, tensor, &card.feature_output)?;
        expect_length(&card.feature_output, card.feature_dimension, &features)?;
        Ok(features)
    }

    /// The logits of the backbone's own classes for one input tensor.
    pub fn logits(&mut self, tensor: &[f32]) -> Result<Vec<f32>, BackboneError> {
        let card = &self.backbone.inner.card;
        let name = card.logits_output.as_ref().ok_or(BackboneError::NoLogits)?;
        let logits = run(&mut self.runner, card, tensor, name)?;
        if let Some(count) = card.class_count {
            expect_length(name, count, &logits)?;
        }
        Ok(logits)
    }

    /// An upper estimate of what the engine holds at its peak for this session,
    /// beside what [`Backbone::weight_bytes`] says: the activations of one image, as
    /// the graph's shapes say ([`OnnxFile::activation_bytes`]), [`Self::OWN_BYTES`],
    /// and the weights where an engine has them for each session.
    pub fn memory_bytes(&self) -> u64 {
        let inner = &self.backbone.inner;
        inner
            .activation_bytes
            .saturating_add(Self::OWN_BYTES)
            .saturating_add(inner.network.session_bytes())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("backbone", &self.backbone.inner.card.name)
            .finish_non_exhaustive()
    }
}

fn run(
    runner: &mut Runner,
    card: &BackboneCard,
    tensor: &[f32],
    output: &str,
) -> Result<Vec<f32>, BackboneError> {
    if tensor.len() != input_length(card) {
        return Err(BackboneError::Input {
            expected: input_length(card),
            found: tensor.len(),
        });
    }
    runner.run(&card.input, &input_shape(card), tensor, output)
}

/// The shape of one image.
fn input_shape(card: &BackboneCard) -> [usize; 4] {
    let (height, width) = (as_index(card.height), as_index(card.width));
    match card.layout {
        Layout::ChannelsFirst => [1, 3, height, width],
        Layout::ChannelsLast => [1, height, width, 3],
    }
}

fn input_length(card: &BackboneCard) -> usize {
    3 * as_index(card.height) * as_index(card.width)
}

/// What the card names must be at the ends of the graph, and all constants in the
/// file: an engine would look for others in the folder that the user is in.
fn expect_ends(file: &OnnxFile, card: &BackboneCard) -> Result<(), BackboneError> {
    if let Some(path) = file.external_files().into_iter().next() {
        return Err(BackboneError::Graph(OnnxError::External {
            path,
            detail: "a backbone holds its constants itself".to_owned(),
        }));
    }
    let named = |role, name: &str, ends: Vec<Endpoint>| {
        if ends.iter().any(|end| end.name == name) {
            return Ok(());
        }
        let found: Vec<String> = ends.iter().map(|end| format!("`{}`", end.name)).collect();
        Err(BackboneError::NoSuchNode {
            role,
            name: name.to_owned(),
            found: found.join(", "),
        })
    };
    named("input", &card.input, file.inputs())?;
    named("output", &card.feature_output, file.outputs())?;
    match &card.logits_output {
        Some(logits) => named("output", logits, file.outputs()),
        None => Ok(()),
    }
}

fn expect_length(output: &str, expected: usize, values: &[f32]) -> Result<(), BackboneError> {
    if values.len() == expected {
        return Ok(());
    }
    Err(BackboneError::Length {
        output: output.to_owned(),
        expected,
        found: values.len(),
    })
}
