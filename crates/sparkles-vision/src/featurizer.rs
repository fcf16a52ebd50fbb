//! The stage image -> feature vector.

use crate::backbone::{Backbone, Session};
use crate::decode::decode;
use crate::error::{BackboneError, ImageError};
use crate::header::ImageHeader;
use crate::pixels::AlphaPolicy;
use crate::preprocess::Preprocessor;

/// Turns the bytes of images into features, one after the other. One per
/// thread; it keeps its buffers, and nothing else, between images.
#[derive(Debug)]
pub struct Featurizer {
    session: Session,
    preprocessor: Preprocessor,
    alpha: AlphaPolicy,
}

impl Featurizer {
    /// A featurizer through `backbone`.
    pub fn new(backbone: &Backbone, alpha: AlphaPolicy) -> Result<Self, BackboneError> {
        Ok(Self {
            session: backbone.session()?,
            preprocessor: Preprocessor::new(backbone.card()),
            alpha,
        })
    }

    /// The features of one image; `header` is what [`crate::read_header`] said
    /// of the same bytes.
    pub fn features(&mut self, bytes: &[u8], header: &ImageHeader) -> Result<Vec<f32>, ImageError> {
        let pixels = decode(bytes, header, self.alpha)?;
        let tensor = self.preprocessor.tensor(&pixels, header.orientation)?;
        drop(pixels);
        finite(self.session.features(tensor))
    }

    /// The logits of the backbone's own classes for one image.
    pub fn logits(&mut self, bytes: &[u8], header: &ImageHeader) -> Result<Vec<f32>, ImageError> {
        let pixels = decode(bytes, header, self.alpha)?;
        let tensor = self.preprocessor.tensor(&pixels, header.orientation)?;
        finite(self.session.logits(tensor))
    }

    /// The input tensor of one image: all that happens before the engine.
    pub fn tensor(&mut self, bytes: &[u8], header: &ImageHeader) -> Result<&[f32], ImageError> {
        let pixels = decode(bytes, header, self.alpha)?;
        self.preprocessor.tensor(&pixels, header.orientation)
    }

    /// Bytes that this featurizer holds at its peak: tensor, resize buffers and
    /// the engine's arena. What a decode takes beside is
    /// [`ImageHeader::decode_bytes`]; the weights are shared.
    pub fn memory_bytes(&self) -> u64 {
        let buffers = u64::try_from(self.preprocessor.memory_bytes()).unwrap_or(u64::MAX);
        buffers.saturating_add(self.session.memory_bytes())
    }
}

/// The engine's values, which must be numbers: anything else would poison every
/// model that learns from them.
fn finite(values: Result<Vec<f32>, BackboneError>) -> Result<Vec<f32>, ImageError> {
    let values = values.map_err(|error| ImageError::Engine {
        detail: error.to_string(),
    })?;
    let odd = values.iter().filter(|value| !value.is_finite()).count();
    if odd > 0 {
        return Err(ImageError::Engine {
            detail: format!("{odd} of {} values are not finite", values.len()),
        });
    }
    Ok(values)
}
