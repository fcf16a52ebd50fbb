//! Networks that are built here from published weights: the five of sparkdl, and
//! the larger sisters of the embedded one.
//!
//! Each module reads like the table of its paper. Names of weights are those of
//! `timm`, whose safetensors are published.

mod efficientnet_lite;
mod inception_v3;
mod layers;
mod resnet50;
mod vgg;
mod weights;
mod xception;

use std::fmt;
use std::str::FromStr;

use crate::card::{BackboneCard, ChannelOrder, Layout, PixelRange, ResizeFilter, ResizePolicy};
use crate::classes::ASCENDING_WORDNET;
use crate::error::WeightsError;
use crate::onnx::OnnxFile;
use efficientnet_lite::{LITE1, LITE2, LITE3, LITE4};
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
    /// EfficientNet-Lite1, 1,280 features, as all of these.
    EfficientNetLite1,
    /// EfficientNet-Lite2.
    EfficientNetLite2,
    /// EfficientNet-Lite3.
    EfficientNetLite3,
    /// EfficientNet-Lite4.
    EfficientNetLite4,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::InceptionV3,
        Self::Xception,
        Self::ResNet50,
        Self::Vgg16,
        Self::Vgg19,
        Self::EfficientNetLite1,
        Self::EfficientNetLite2,
        Self::EfficientNetLite3,
        Self::EfficientNetLite4,
    ];

    /// The name that it is asked for by.
    pub fn name(self) -> &'static str {
        match self {
            Self::InceptionV3 => "inception_v3",
            Self::Xception => "xception",
            Self::ResNet50 => "resnet50",
            Self::Vgg16 => "vgg16",
            Self::Vgg19 => "vgg19",
            Self::EfficientNetLite1 => "efficientnet_lite1",
            Self::EfficientNetLite2 => "efficientnet_lite2",
            Self::EfficientNetLite3 => "efficientnet_lite3",
            Self::EfficientNetLite4 => "efficientnet_lite4",
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
            Self::EfficientNetLite1 => "timm/tf_efficientnet_lite1.in1k",
            Self::EfficientNetLite2 => "timm/tf_efficientnet_lite2.in1k",
            Self::EfficientNetLite3 => "timm/tf_efficientnet_lite3.in1k",
            Self::EfficientNetLite4 => "timm/tf_efficientnet_lite4.in1k",
        }
    }

    /// Rows and columns of the input.
    fn side(self) -> usize {
        match self {
            Self::InceptionV3 | Self::Xception => 299,
            Self::ResNet50 | Self::Vgg16 | Self::Vgg19 => 224,
            Self::EfficientNetLite1 => LITE1.side,
            Self::EfficientNetLite2 => LITE2.side,
            Self::EfficientNetLite3 => LITE3.side,
            Self::EfficientNetLite4 => LITE4.side,
        }
    }

    /// The card of the published weights; the preprocessing is that of `timm` 1.0
    /// (`pretrained_cfg`). `source` says where the weights come from, `version`
    /// which they are.
    fn card(self, source: &str, version: &str, dimension: usize) -> BackboneCard {
        const HALF: ([f32; 3], [f32; 3]) = ([0.5; 3], [0.5; 3]);
        const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let (crop_fraction, resize_filter) = match self {
            Self::InceptionV3 => (0.875, ResizeFilter::Bicubic),
            Self::Xception => (0.8975, ResizeFilter::Bicubic),
            Self::ResNet50 | Self::Vgg16 | Self::Vgg19 => (0.875, ResizeFilter::Bilinear),
            Self::EfficientNetLite1 => (0.882, ResizeFilter::Bicubic),
            Self::EfficientNetLite2 => (0.89, ResizeFilter::Bicubic),
            Self::EfficientNetLite3 => (0.904, ResizeFilter::Bilinear),
            Self::EfficientNetLite4 => (0.92, ResizeFilter::Bilinear),
        };
        let ((mean, standard_deviation), license) = match self {
            Self::ResNet50 | Self::Vgg16 | Self::Vgg19 => (IMAGENET, "BSD-3-Clause"),
            _ => (HALF, "Apache-2.0"),
        };
        let side = u32::try_from(self.side()).unwrap_or(u32::MAX);
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
            classes: Some(ASCENDING_WORDNET.to_owned()),
            class_names: None,
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
        let side = self.side();
        let network = match self {
            Self::InceptionV3 => inception_v3::build(weights, side),
            Self::Xception => xception::build(weights, side),
            Self::ResNet50 => resnet50::build(weights, side),
            Self::Vgg16 => vgg::build(self.name(), vgg::D, weights, side),
            Self::Vgg19 => vgg::build(self.name(), vgg::E, weights, side),
            Self::EfficientNetLite1 => efficientnet_lite::build(self.name(), &LITE1, weights),
            Self::EfficientNetLite2 => efficientnet_lite::build(self.name(), &LITE2, weights),
            Self::EfficientNetLite3 => efficientnet_lite::build(self.name(), &LITE3, weights),
            Self::EfficientNetLite4 => efficientnet_lite::build(self.name(), &LITE4, weights),
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
