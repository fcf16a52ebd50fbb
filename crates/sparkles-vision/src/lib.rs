//! From the bytes of an image file to its feature vector.
//!
//! ```text
//! bytes -> header -> pixels -> tensor -> features
//! ```
//!
//! * [`read_header`] tells from a few bytes what an image is, how large, how it
//!   is turned, and how much memory a decode will take. It reads from anything
//!   that seeks, so a photo in a bucket costs one small request.
//! * [`decode`] makes [`Pixels`]: 8 bits, grey or RGB, as Pillow's
//!   `convert("RGB")` would.
//! * A [`Backbone`] is an ONNX file that describes itself by its
//!   [`BackboneCard`]: input size, resize, means, outputs, licence.
//! * A [`Featurizer`], one per thread, does it all for one image after the
//!   other. What it makes depends on the image alone.
//!
//! It is not a home for files, tables or downloads, and it trains nothing: bytes
//! come in as slices, features go out as `Vec<f32>`, failures as one
//! [`ImageError`] with a closed [reason](ImageError::reason). Bytes are hostile
//! here: no header makes it allocate before the cost is known, and a panic in a
//! third-party decoder is an error like any other.
//!
//! # Example
//!
//! ```
//! use std::io::Cursor;
//!
//! use sparkles_vision::{AlphaPolicy, Backbone, Featurizer, read_header};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A 2 x 2 bitmap: red, white / blue, green.
//! let photo = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x18\0\
//!     \0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
//!     \xff\0\0\0\xff\0\0\0\0\0\xff\xff\xff\xff\0\0";
//! let header = read_header(Cursor::new(photo))?;
//! assert_eq!(header.to_string(), "bmp, 2 x 2 pixels");
//!
//! let backbone = Backbone::from_onnx(sparkles_lite0::ONNX)?;
//! let mut featurizer = Featurizer::new(&backbone, AlphaPolicy::Drop)?;
//! let features = featurizer.features(photo, &header)?;
//! assert_eq!(features.len(), 1280);
//! # Ok(())
//! # }
//! ```

mod architecture;
mod backbone;
mod card;
mod classes;
mod decode;
mod engine;
mod error;
mod featurizer;
mod guard;
mod header;
mod onnx;
mod orientation;
mod pixels;
mod preprocess;
mod preset;
mod self_test;

pub use architecture::{Architecture, Weights};
pub use backbone::{Backbone, Session};
pub use card::{BackboneCard, ChannelOrder, Layout, PixelRange, ResizeFilter, ResizePolicy};
pub use classes::{BackboneClass, Tag};
pub use decode::decode;
pub use engine::{Engine, Provider};
pub use error::{BackboneError, CardError, ImageError, OnnxError, WeightsError};
pub use featurizer::Featurizer;
pub use guard::is_guarded;
pub use header::{ImageFormat, ImageHeader, MAX_PIXELS, read_header};
pub use onnx::{ClassifierOutputs, Endpoint, Inspection, LinearClassifier, OnnxFile, Pooling};
pub use orientation::Orientation;
pub use pixels::{AlphaPolicy, Pixels};
pub use preset::{CardSettings, Preset};
pub use self_test::SelfTest;

/// The version of everything between bytes and tensor. It is part of a feature
/// key: raise it whenever a decoder, a conversion or the resize changes a value.
pub const PIXEL_PIPELINE_VERSION: u32 = 1;
