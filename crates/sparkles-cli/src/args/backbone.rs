//! The arguments of `backbone`.

use clap::{Args, Subcommand};
use sparkles::{
    Architecture, CardSettings, ChannelOrder, PixelRange, Pooling, Preset, ResizeFilter,
    ResizePolicy,
};

use super::{EngineFlag, SummaryFormat, onnx_file};

/// Backbones: list them, build one of published weights, look into and cut ONNX files
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles backbone list\n  \
    sparkles backbone pull inception_v3\n  \
    sparkles backbone cut resnet.onnx --preset torchvision --out mine.onnx\n  \
    sparkles train photos --backbone mine.onnx --out pets.model")]
pub(crate) struct BackboneArguments {
    #[command(subcommand)]
    pub(crate) action: BackboneAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackboneAction {
    List(ListArguments),
    Pull(PullArguments),
    Inspect(InspectArguments),
    Cut(CutArguments),
    Check(CheckArguments),
}

/// List the backbones that can be asked for by name
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// How the list is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Fetch the published weights of a network and build it
///
/// inception_v3, xception, resnet50, vgg16, vgg19, efficientnet_lite1 to efficientnet_lite4: the
/// weights of `timm` come from the Hugging Face Hub into the cache that its other clients share
/// (`HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT` for a mirror, `HTTPS_PROXY`) and are checked against the
/// sha256 that it declares. The graph is made here, batch normalisation is folded into the
/// convolutions, and the file carries its card and a self-test.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles backbone pull inception_v3\n  \
    sparkles backbone pull resnet50 --from model.safetensors")]
pub(crate) struct PullArguments {
    /// The network
    #[arg(value_name = "NAME")]
    pub(crate) name: Architecture,
    /// Weights that are here already: safetensors, with the names of `timm`
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<String>,
    /// Random weights instead, for benchmarks and tests: features mean nothing
    #[arg(long, value_name = "SEED", conflicts_with = "from")]
    pub(crate) random: Option<u64>,
    /// File to write [default: the folder of pulled backbones, found by name]
    #[arg(long, value_name = "FILE.onnx", value_parser = onnx_file)]
    pub(crate) out: Option<String>,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Look into a backbone or any ONNX file: inputs, outputs, cost, card, what cannot be run
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// A backbone by name, or an ONNX file
    #[arg(value_name = "NAME|FILE.onnx")]
    pub(crate) name: String,
    /// Images at once, which the memory is told for
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) batch: std::num::NonZeroUsize,
    /// List every value that the graph can be cut at
    #[arg(long)]
    pub(crate) values: bool,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Run the self-test that a backbone carries
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// A backbone by name, or an ONNX file that carries a card
    #[arg(value_name = "NAME|FILE.onnx")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) engine: EngineFlag,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Make a backbone of an ONNX file: cut it at the features, pool them, write the card
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles backbone cut resnet.onnx --preset torchvision --out mine.onnx\n  \
    sparkles backbone cut vgg16 --output fc2 --out vgg16-fc2.onnx\n  \
    sparkles backbone cut inception_v3 --pooling none --out inception-flat.onnx")]
pub(crate) struct CutArguments {
    /// A backbone by name, or an ONNX file, whose constants may lie in files beside it
    #[arg(value_name = "NAME|FILE.onnx")]
    pub(crate) file: String,
    /// Value to cut at [default: what the card names, or what the last fully connected layer reads]
    #[arg(long, value_name = "VALUE")]
    pub(crate) output: Option<String>,
    /// How maps become a vector: the mean of each, or `none`, all values in one row
    #[arg(long, default_value = "mean", value_name = "mean|none")]
    pub(crate) pooling: Pooling,
    #[command(flatten)]
    pub(crate) card: CardFlags,
    /// File to write; must not exist yet
    #[arg(long, value_name = "FILE.onnx", value_parser = onnx_file)]
    pub(crate) out: String,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// How images become the input of a network that carries no card.
#[derive(Debug, Args)]
pub(crate) struct CardFlags {
    /// Usual preprocessing that the other flags depart from
    #[arg(long, value_name = "torchvision|keras-tf|keras-caffe")]
    pub(crate) preset: Option<Preset>,
    /// Name of the backbone [default: that of the file]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Side of the square input, where the graph leaves it open
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) size: Option<u32>,
    /// Subtracted from red, green, blue
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true, value_parser = channels)]
    pub(crate) mean: Option<[f32; 3]>,
    /// Divides red, green, blue
    #[arg(long, value_name = "R,G,B", value_parser = divisors)]
    pub(crate) std: Option<[f32; 3]>,
    /// Values of black and white before that
    #[arg(long, value_name = "0..1|0..255", value_parser = word::<PixelRange>)]
    pub(crate) pixel_range: Option<PixelRange>,
    /// Order of the channels
    #[arg(long, value_name = "RGB|BGR", value_parser = word::<ChannelOrder>)]
    pub(crate) channel_order: Option<ChannelOrder>,
    /// Kernel of the resize, antialiased
    #[arg(long, value_name = "bicubic|bilinear|lanczos|box", value_parser = word::<ResizeFilter>)]
    pub(crate) resize_filter: Option<ResizeFilter>,
    /// `crop` takes the central square, `stretch` the whole image
    #[arg(long, value_name = "crop|stretch", value_parser = word::<ResizePolicy>)]
    pub(crate) resize_policy: Option<ResizePolicy>,
    /// Side of the central square as a part of the shorter side
    #[arg(long, value_name = "X", value_parser = part)]
    pub(crate) crop_fraction: Option<f64>,
    /// Names of the classes of the network's own classifier, for `sparkles tag`: a text file, one
    /// a line in order of class index
    #[arg(long, value_name = "FILE")]
    pub(crate) classes: Option<String>,
    /// Licence of the weights
    #[arg(long, value_name = "NAME")]
    pub(crate) license: Option<String>,
    /// Where the weights come from
    #[arg(long, value_name = "TEXT")]
    pub(crate) source: Option<String>,
}

impl CardFlags {
    pub(crate) fn settings(&self) -> CardSettings {
        CardSettings {
            name: self.name.clone(),
            preset: self.preset,
            side: self.size,
            mean: self.mean,
            standard_deviation: self.std,
            pixel_range: self.pixel_range,
            channel_order: self.channel_order,
            resize_filter: self.resize_filter,
            resize_policy: self.resize_policy,
            crop_fraction: self.crop_fraction,
            class_names: None,
            license: self.license.clone(),
            source: self.source.clone(),
        }
    }
}

fn word<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "expected one of these words".to_owned())
}

fn channels(text: &str) -> Result<[f32; 3], String> {
    let numbers: Option<Vec<f32>> = text
        .split(',')
        .map(|number| {
            number
                .trim()
                .parse()
                .ok()
                .filter(|value: &f32| value.is_finite())
        })
        .collect();
    match numbers.as_deref() {
        Some([one]) => Ok([*one; 3]),
        Some([red, green, blue]) => Ok([*red, *green, *blue]),
        _ => Err("expected one number or three".to_owned()),
    }
}

fn divisors(text: &str) -> Result<[f32; 3], String> {
    let values = channels(text)?;
    if values.contains(&0.0) {
        return Err("expected no zero".to_owned());
    }
    Ok(values)
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if part > 0.0 && part <= 1.0 => Ok(part),
        _ => Err("expected a number above 0, at most 1".to_owned()),
    }
}
