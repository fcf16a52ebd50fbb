//! Networks that are built here from published weights: the five of sparkdl.
//!
//! Each module reads like the table of its paper. Names of weights are those of
//! `timm`, whose safetensors are published.

mod inception_v3;
mod layers;
mod resnet50;
mod vgg;
mod weights;
mod xception;

use std::fmt;
use std::str::FromStr;

use crate::card::{BackboneCard, ChannelOrder, Layout, PixelRange, ResizeFilter, ResizePolicy};
use crate::error::WeightsError;
use crate::onnx::OnnxFile;
pub use weights::Weights;

/// A network that can be built from weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Architecture {
    /// Inception-v3, 2,048 features.
    InceptionV3,
    /// Xception, 2,048 features.
    Xception,
    /// ResNet-50, 2,048 features.
    ResNet50,
    /// VGG-16, 512 features, or 4,096 of its classifier's second hidden layer.
    Vgg16,
    /// VGG-19, the same.
    Vgg19,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::InceptionV3,
        Self::Xception,
        Self::ResNet50,
        Self::Vgg16,
        Self::Vgg19,
    ];

    /// The name that it is asked for by.
    pub fn name(self) -> &'static str {
        match self {
            Self::InceptionV3 => "inception_v3",
            Self::Xception => "xception",
            Self::ResNet50 => "resnet50",
            Self::Vgg16 => "vgg16",
            Self::Vgg19 => "vgg19",
        }
    }

    /// The repository of its published weights on the Hugging Face Hub, in the
    /// file `model.safetensors`.
    pub fn repository(self) -> &'static str {
        match self {
            Self::InceptionV3 => "timm/inception_v3.tv_in1k",
            Self::Xception => "timm/legacy_xception.tf_in1k",
            Self::ResNet50 => "timm/resnet50.tv_in1k",
            Self::Vgg16 => "timm/vgg16.tv_in1k",
            Self::Vgg19 => "timm/vgg19.tv_in1k",
        }
    }

    /// The card of the published weights; the preprocessing is that of `timm` 1.0
    /// (`pretrained_cfg`). `source` says where the weights come from, `version`
    /// which they are.
    fn card(self, source: &str, version: &str, dimension: usize) -> BackboneCard {
        // Side, part of the shorter side, filter, mean and deviation, licence.
        const HALF: [f32; 3] = [0.5; 3];
        const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let (side, crop_fraction, resize_filter, (mean, standard_deviation), license) = match self {
            Self::InceptionV3 => (
                299,
                0.875,
                ResizeFilter::Bicubic,
                (HALF, HALF),
                "Apache-2.0",
            ),
            Self::Xception => (
                299,
                0.8975,
                ResizeFilter::Bicubic,
                (HALF, HALF),
                "Apache-2.0",
            ),
            Self::ResNet50 | Self::Vgg16 | Self::Vgg19 => {
                (224, 0.875, ResizeFilter::Bilinear, IMAGENET, "BSD-3-Clause")
            }
        };
        BackboneCard {
            name: self.name().to_owned(),
            version: version.to_owned(),
            license: license.to_owned(),
            source: source.to_owned(),
            input: layers::INPUT.to_owned(),
            height: side,
            width: side,
            layout: Layout::ChannelsFirst,
            channel_order: ChannelOrder::Rgb,
            pixel_range: PixelRange::Unit,
            resize_filter,
            resize_policy: ResizePolicy::Crop,
            crop_fraction,
            mean,
            standard_deviation,
            feature_output: "features".to_owned(),
            feature_dimension: dimension,
            logits_output: Some("logits".to_owned()),
            class_count: Some(1000),
            classes: Some("ImageNet-1k, ascending WordNet id".to_owned()),
            weights: Some("float32".to_owned()),
            weights_sha256: None,
            self_test: None,
        }
    }

    /// Builds the network: batch normalisation folded into the convolutions, the
    /// pooled features and the classifier's logits as outputs, the card inside.
    /// `source` and `version` go into the card.
    pub fn build(
        self,
        weights: &Weights<'_>,
        source: &str,
        version: &str,
    ) -> Result<(OnnxFile, BackboneCard), WeightsError> {
        let side = match self {
            Self::InceptionV3 | Self::Xception => 299,
            Self::ResNet50 | Self::Vgg16 | Self::Vgg19 => 224,
        };
        let network = match self {
            Self::InceptionV3 => inception_v3::build(weights, side),
            Self::Xception => xception::build(weights, side),
            Self::ResNet50 => resnet50::build(weights, side),
            Self::Vgg16 => vgg::build(self.name(), vgg::D, weights, side),
            Self::Vgg19 => vgg::build(self.name(), vgg::E, weights, side),
        }?;
        let card = self.card(source, version, network.features.channels);
        let outputs = [&network.features, &network.logits];
        let file = network.graph.finish(&outputs, card.entries());
        Ok((file, card))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.name() == text)
            .ok_or_else(|| format!("`{text}` is none of {names}"))
    }
}
