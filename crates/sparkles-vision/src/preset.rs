//! How images become the input of a network that does not say it itself.

use std::str::FromStr;

use crate::card::{
    BackboneCard, ChannelOrder, Layout, MOST_SIDE, PixelRange, ResizeFilter, ResizePolicy,
};
use crate::error::OnnxError;
use crate::onnx::Endpoint;

/// A usual way to prepare pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// torchvision's: red, green, blue from 0 to 1, less ImageNet's mean, by its
    /// deviation; the central square of the shorter side, bilinear.
    Torchvision,
    /// Keras's `tf` mode: red, green, blue from −1 to 1; stretched, bilinear.
    KerasTf,
    /// Keras's `caffe` mode: blue, green, red from 0 to 255, less ImageNet's mean;
    /// stretched, bilinear.
    KerasCaffe,
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "torchvision" => Ok(Self::Torchvision),
            "keras-tf" => Ok(Self::KerasTf),
            "keras-caffe" => Ok(Self::KerasCaffe),
            _ => Err(format!(
                "`{text}` is none of torchvision, keras-tf, keras-caffe"
            )),
        }
    }
}

/// What a user says of a network's input; the rest is its card's, or the preset's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CardSettings {
    /// The backbone's name; none for that of the file.
    pub name: Option<String>,
    /// The usual way that the others depart from.
    pub preset: Option<Preset>,
    /// Side of the square input, where the graph leaves it open.
    pub side: Option<u32>,
    /// Subtracted from red, green, blue.
    pub mean: Option<[f32; 3]>,
    /// Divides red, green, blue.
    pub standard_deviation: Option<[f32; 3]>,
    /// The values of black and white.
    pub pixel_range: Option<PixelRange>,
    /// The order of the channels.
    pub channel_order: Option<ChannelOrder>,
    /// The kernel of the resize.
    pub resize_filter: Option<ResizeFilter>,
    /// Crop or stretch.
    pub resize_policy: Option<ResizePolicy>,
    /// The side of the central square as a part of the shorter side.
    pub crop_fraction: Option<f64>,
    /// What the classes of the network's own classifier are called, by class index.
    pub class_names: Option<Vec<String>>,
    /// The licence of the weights.
    pub license: Option<String>,
    /// Where the weights come from.
    pub source: Option<String>,
}

/// The input of a graph, as images see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageInput {
    pub(crate) name: String,
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) layout: Layout,
}

impl ImageInput {
    /// The rows, columns and order of axes of an input; `side`, or else what the
    /// file's own card says, where the graph leaves rows and columns open.
    pub(crate) fn of(
        input: &Endpoint,
        side: Option<u32>,
        own: Option<&BackboneCard>,
    ) -> Result<Self, OnnxError> {
        let wrong = || OnnxError::InputShape {
            name: input.name.clone(),
            shape: input.shape.clone(),
        };
        let (layout, rows, columns) = match input.shape.as_slice() {
            [_, Some(3), rows, columns] => (Layout::ChannelsFirst, *rows, *columns),
            [_, rows, columns, Some(3)] => (Layout::ChannelsLast, *rows, *columns),
            _ => return Err(wrong()),
        };
        let length = |axis: Option<usize>, own: Option<u32>| match (axis, side) {
            (Some(found), Some(asked)) if u32::try_from(found) != Ok(asked) => {
                Err(OnnxError::OtherSide {
                    name: input.name.clone(),
                    found,
                    asked,
                })
            }
            (Some(found), _) => u32::try_from(found)
                .ok()
                .filter(|side| (1..=MOST_SIDE).contains(side))
                .ok_or_else(wrong),
            (None, side) => side.or(own).ok_or_else(|| OnnxError::InputSide {
                name: input.name.clone(),
            }),
        };
        Ok(Self {
            name: input.name.clone(),
            height: length(rows, own.map(|own| own.height))?,
            width: length(columns, own.map(|own| own.width))?,
            layout,
        })
    }
}

impl CardSettings {
    /// The card of a network: what was said, then what its own card says, then what
    /// the preset says. `name` is for a network without one.
    pub(crate) fn card(
        &self,
        own: Option<BackboneCard>,
        input: &ImageInput,
        name: &str,
    ) -> Result<BackboneCard, OnnxError> {
        let base = match (self.preset, own) {
            (Some(preset), own) => preset_card(preset, own.as_ref(), name),
            (None, Some(own)) => own,
            (None, None) => return Err(OnnxError::NoPreprocessing),
        };
        let card = BackboneCard {
            name: self.name.clone().unwrap_or(base.name),
            class_names: self.class_names.clone().or(base.class_names),
            license: self.license.clone().unwrap_or(base.license),
            source: self.source.clone().unwrap_or(base.source),
            input: input.name.clone(),
            height: input.height,
            width: input.width,
            layout: input.layout,
            channel_order: self.channel_order.unwrap_or(base.channel_order),
            pixel_range: self.pixel_range.unwrap_or(base.pixel_range),
            resize_filter: self.resize_filter.unwrap_or(base.resize_filter),
            resize_policy: self.resize_policy.unwrap_or(base.resize_policy),
            crop_fraction: self.crop_fraction.unwrap_or(base.crop_fraction),
            mean: self.mean.unwrap_or(base.mean),
            standard_deviation: self.standard_deviation.unwrap_or(base.standard_deviation),
            ..base
        };
        Ok(BackboneCard {
            crop_fraction: match card.resize_policy {
                ResizePolicy::Stretch => 1.0,
                ResizePolicy::Crop => card.crop_fraction,
            },
            ..card
        })
    }
}

/// Sources: torchvision's `ImageClassification` transform; Keras's
/// `imagenet_utils.preprocess_input`.
fn preset_card(preset: Preset, own: Option<&BackboneCard>, name: &str) -> BackboneCard {
    let (channel_order, pixel_range, mean, standard_deviation, policy) = match preset {
        Preset::Torchvision => (
            ChannelOrder::Rgb,
            PixelRange::Unit,
            [0.485, 0.456, 0.406],
            [0.229, 0.224, 0.225],
            ResizePolicy::Crop,
        ),
        Preset::KerasTf => (
            ChannelOrder::Rgb,
            PixelRange::Bytes,
            [127.5; 3],
            [127.5; 3],
            ResizePolicy::Stretch,
        ),
        Preset::KerasCaffe => (
            ChannelOrder::Bgr,
            PixelRange::Bytes,
            [123.68, 116.779, 103.939],
            [1.0; 3],
            ResizePolicy::Stretch,
        ),
    };
    let text = |text: fn(&BackboneCard) -> &String| own.map(|own| text(own).clone());
    let unknown = || "unknown".to_owned();
    BackboneCard {
        name: text(|card| &card.name).unwrap_or_else(|| name.to_owned()),
        version: text(|card| &card.version).unwrap_or_else(unknown),
        license: text(|card| &card.license).unwrap_or_else(unknown),
        source: text(|card| &card.source).unwrap_or_else(unknown),
        input: String::new(),
        height: 0,
        width: 0,
        layout: Layout::ChannelsFirst,
        channel_order,
        pixel_range,
        resize_filter: ResizeFilter::Bilinear,
        resize_policy: policy,
        crop_fraction: 0.875,
        mean,
        standard_deviation,
        feature_output: own.map_or_else(String::new, |own| own.feature_output.clone()),
        feature_dimension: 0,
        logits_output: own.and_then(|own| own.logits_output.clone()),
        class_count: own.and_then(|own| own.class_count),
        classes: own.and_then(|own| own.classes.clone()),
        class_names: own.and_then(|own| own.class_names.clone()),
        weights: own.and_then(|own| own.weights.clone()),
        weights_sha256: own.and_then(|own| own.weights_sha256.clone()),
        self_test: None,
    }
}
