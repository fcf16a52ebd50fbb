//! The backbone that sparkles embeds: EfficientNet-Lite0 with ImageNet weights,
//! as data.
//!
//! One ONNX file, 9.3 MB, with its card inside (`metadata_props`, keys
//! `sparkles.*`): input, preprocessing, outputs, source, licence. This crate
//! runs nothing and depends on nothing; `sparkles-vision` reads the file. Where
//! the weights come from and how good they are stands in `README.md`, the
//! licence in `LICENSE-Apache`.
//!
//! ```
//! assert_eq!(sparkles_lite0::NAME, "efficientnet_lite0");
//! assert_eq!(sparkles_lite0::ONNX.len(), 9_289_623);
//! ```

/// The name that the backbone is asked for by.
pub const NAME: &str = "efficientnet_lite0";

/// The ONNX file. Weights are stored as 16-bit floats, arithmetic is 32-bit;
/// outputs are `features` (1280) and `logits` (1000).
pub const ONNX: &[u8] = include_bytes!("efficientnet_lite0_f16.onnx");
