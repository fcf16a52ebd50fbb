//! The card of a backbone: what it is and how images become its input.
//!
//! It stands in the ONNX file itself, as entries `sparkles.*` of
//! `metadata_props`, so that one file describes itself.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;

use crate::error::CardError;
use crate::self_test::SelfTest;

/// The prefix of the card's keys.
pub(crate) const PREFIX: &str = "sparkles.";

/// The longest side of an input: beyond, a card is a mistake.
pub(crate) const MOST_SIDE: u32 = 4096;

/// What a backbone is, and how an image becomes its input.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BackboneCard {
    /// The backbone's name.
    pub name: String,
    /// The version of its weights.
    pub version: String,
    /// The licence of its weights.
    pub license: String,
    /// Where its weights come from.
    pub source: String,
    /// The graph's input.
    pub input: String,
    /// Rows of the input.
    pub height: u32,
    /// Columns of the input.
    pub width: u32,
    /// The order of the input's axes.
    pub layout: Layout,
    /// The order of the input's channels.
    pub channel_order: ChannelOrder,
    /// The values of black and white before `mean` and `standard_deviation`.
    pub pixel_range: PixelRange,
    /// The kernel that images are resized with, always antialiased.
    pub resize_filter: ResizeFilter,
    /// How an image is fitted to the input.
    pub resize_policy: ResizePolicy,
    /// The side of the central square as a part of the shorter side; 1 where
    /// the policy is to stretch.
    pub crop_fraction: f64,
    /// Subtracted from each channel: red, green, blue.
    pub mean: [f32; 3],
    /// Divides each channel, then: red, green, blue. The card's `std`.
    pub standard_deviation: [f32; 3],
    /// The output that holds the features, pooled.
    pub feature_output: String,
    /// How many features there are.
    pub feature_dimension: usize,
    /// The output that holds the logits of the backbone's own classes.
    pub logits_output: Option<String>,
    /// How many classes there are.
    pub class_count: Option<usize>,
    /// What the classes are.
    pub classes: Option<String>,
    /// What each class is called, by class index.
    pub class_names: Option<Vec<String>>,
    /// How the file stores the weights.
    pub weights: Option<String>,
    /// The sha256 of the file that the weights were read from, in hexadecimal.
    pub weights_sha256: Option<String>,
    /// What the backbone makes of the synthetic image.
    pub self_test: Option<SelfTest>,
}

/// A closed set of words that a card may use; the first word of each row is
/// the one that is written.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $expected:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal $(| $other:literal)*,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            const EXPECTED: &str = $expected;

            /// The word that stands for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text {
                    $($word $(| $other)* => Ok(Self::$variant),)+
                    _ => Err(()),
                }
            }
        }
    };
}

words! {
    /// The order of an input's axes.
    Layout: "`NCHW` or `NHWC`" {
        /// Batch, channels, rows, columns.
        ChannelsFirst = "NCHW",
        /// Batch, rows, columns, channels.
        ChannelsLast = "NHWC",
    }
}

words! {
    /// The order of an input's channels.
    ChannelOrder: "`RGB` or `BGR`" {
        /// Red, green, blue.
        Rgb = "RGB",
        /// Blue, green, red.
        Bgr = "BGR",
    }
}

words! {
    /// The range of pixel values before mean and standard deviation.
    PixelRange: "`0..255` or `0..1`" {
        /// The bytes themselves.
        Bytes = "0..255",
        /// The bytes divided by 255.
        Unit = "0..1",
    }
}

words! {
    /// The kernel of a resize, by Pillow's names; its support is scaled by the
    /// reduction.
    ResizeFilter: "`bicubic`, `bilinear`, `lanczos` or `box`" {
        /// Catmull-Rom: a = -0.5.
        Bicubic = "bicubic",
        /// The triangle.
        Bilinear = "bilinear",
        /// Lanczos of three lobes.
        Lanczos = "lanczos",
        /// The mean of the pixels covered.
        Box = "box",
    }
}

words! {
    /// How an image is fitted to the input.
    ResizePolicy: "`shorter-side-then-center-crop` or `stretch`" {
        /// The shorter side is resized to `side / crop_fraction`, then the
        /// central square is taken.
        Crop = "shorter-side-then-center-crop" | "crop",
        /// Both sides are resized to the input's.
        Stretch = "stretch",
    }
}

impl BackboneCard {
    /// The card in the entries of an ONNX file's `metadata_props`. Entries
    /// without the prefix `sparkles.` are passed over.
    pub fn from_metadata<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, CardError> {
        let entries = Entries(
            entries
                .into_iter()
                .filter(|(key, _)| key.starts_with(PREFIX))
                .collect(),
        );
        if entries.0.is_empty() {
            return Err(CardError::NoCard);
        }
        entries.card()
    }

    /// What [`BackboneCard::from_metadata`] reads back.
    pub fn entries(&self) -> Vec<(String, String)> {
        let three = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
        let mut entries = vec![
            ("name", self.name.clone()),
            ("version", self.version.clone()),
            ("license", self.license.clone()),
            ("source", self.source.clone()),
            ("input", self.input.clone()),
            ("input_height", self.height.to_string()),
            ("input_width", self.width.to_string()),
            ("input_layout", self.layout.name().to_owned()),
            ("channel_order", self.channel_order.name().to_owned()),
            ("pixel_range", self.pixel_range.name().to_owned()),
            ("resize_filter", self.resize_filter.name().to_owned()),
            ("resize_policy", self.resize_policy.name().to_owned()),
            ("mean", three(self.mean)),
            ("std", three(self.standard_deviation)),
            ("feature_output", self.feature_output.clone()),
            ("feature_dimension", self.feature_dimension.to_string()),
        ];
        if self.resize_policy == ResizePolicy::Crop {
            entries.push(("crop_fraction", self.crop_fraction.to_string()));
        }
        let optional = [
            ("logits_output", self.logits_output.clone()),
            (
                "class_count",
                self.class_count.map(|count| count.to_string()),
            ),
            ("classes", self.classes.clone()),
            (
                "class_names",
                self.class_names.as_ref().map(|names| names.join("\n")),
            ),
            ("weights", self.weights.clone()),
            ("weights_sha256", self.weights_sha256.clone()),
        ];
        entries.extend(
            optional
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?))),
        );
        if let Some(test) = &self.self_test {
            let head: Vec<String> = test.head.iter().map(ToString::to_string).collect();
            entries.push(("check_head", head.join(",")));
            entries.push(("check_norm", test.norm.to_string()));
        }
        let prefixed = entries.into_iter();
        prefixed
            .map(|(key, value)| (format!("{PREFIX}{key}"), value))
            .collect()
    }
}

/// The card's entries by their whole keys.
struct Entries<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Entries<'a> {
    fn card(&self) -> Result<BackboneCard, CardError> {
        let side = |key| {
            self.parsed(key, "a whole number from 1 to 4096", |text| {
                text.parse()
                    .ok()
                    .filter(|side| (1..=MOST_SIDE).contains(side))
            })
        };
        let height = side("sparkles.input_height")?;
        let width = side("sparkles.input_width")?;
        let resize_policy: ResizePolicy =
            self.word("sparkles.resize_policy", ResizePolicy::EXPECTED)?;
        let crop_fraction = match resize_policy {
            ResizePolicy::Stretch => 1.0,
            ResizePolicy::Crop => self.parsed(
                "sparkles.crop_fraction",
                "a number above 0, at most 1",
                |text| text.parse().ok().filter(|part| *part > 0.0 && *part <= 1.0),
            )?,
        };
        if resize_policy == ResizePolicy::Crop && height != width {
            return Err(CardError::Invalid {
                key: "sparkles.resize_policy",
                value: resize_policy.name().to_owned(),
                expected: "`stretch`, as the input is no square",
            });
        }
        self.only("sparkles.resize_bicubic_a", "-0.5", |text| {
            text.parse() == Ok(-0.5_f64)
        })?;
        self.only("sparkles.resize_antialias", "true", |text| text == "true")?;
        Ok(BackboneCard {
            name: self.text("sparkles.name")?.to_owned(),
            version: self.or_unknown("sparkles.version"),
            license: self.or_unknown("sparkles.license"),
            source: self.or_unknown("sparkles.source"),
            input: self.text("sparkles.input")?.to_owned(),
            height,
            width,
            layout: if self.0.contains_key("sparkles.input_layout") {
                self.word("sparkles.input_layout", Layout::EXPECTED)?
            } else {
                Layout::ChannelsFirst
            },
            channel_order: self.word("sparkles.channel_order", ChannelOrder::EXPECTED)?,
            pixel_range: self.word("sparkles.pixel_range", PixelRange::EXPECTED)?,
            resize_filter: self.word("sparkles.resize_filter", ResizeFilter::EXPECTED)?,
            resize_policy,
            crop_fraction,
            mean: self.parsed("sparkles.mean", "one number or three", channel_values)?,
            standard_deviation: self.parsed(
                "sparkles.std",
                "one number or three, none of them 0",
                |text| channel_values(text).filter(|values| !values.contains(&0.0)),
            )?,
            feature_output: self.text("sparkles.feature_output")?.to_owned(),
            feature_dimension: self.parsed(
                "sparkles.feature_dimension",
                "a whole number from 1 to 1048576",
                |text| text.parse().ok().filter(|d| (1..=1_048_576).contains(d)),
            )?,
            logits_output: self.get("sparkles.logits_output").map(str::to_owned),
            class_count: match self.get("sparkles.class_count") {
                None => None,
                Some(_) => Some(
                    self.parsed("sparkles.class_count", "a whole number", |text| {
                        text.parse().ok()
                    })?,
                ),
            },
            classes: self.get("sparkles.classes").map(str::to_owned),
            class_names: self
                .get("sparkles.class_names")
                .map(|names| names.split('\n').map(str::to_owned).collect()),
            weights: self.get("sparkles.weights").map(str::to_owned),
            weights_sha256: self.get("sparkles.weights_sha256").map(str::to_owned),
            self_test: self.self_test()?,
        })
    }

    fn self_test(&self) -> Result<Option<SelfTest>, CardError> {
        if self.get("sparkles.check_head").is_none() {
            return Ok(None);
        }
        let finite = |text: &str| {
            text.trim()
                .parse()
                .ok()
                .filter(|value: &f32| value.is_finite())
        };
        let numbers = |text: &str| -> Option<Vec<f32>> { text.split(',').map(finite).collect() };
        Ok(Some(SelfTest {
            head: self.parsed("sparkles.check_head", "numbers", numbers)?,
            norm: self.parsed("sparkles.check_norm", "a number", finite)?,
        }))
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    fn text(&self, key: &'static str) -> Result<&'a str, CardError> {
        match self.get(key) {
            None => Err(CardError::Missing { key }),
            Some("") => Err(CardError::Invalid {
                key,
                value: String::new(),
                expected: "a name",
            }),
            Some(text) => Ok(text),
        }
    }

    fn or_unknown(&self, key: &str) -> String {
        self.get(key).unwrap_or("unknown").to_owned()
    }

    fn parsed<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, CardError> {
        let text = self.get(key).ok_or(CardError::Missing { key })?;
        parse(text.trim()).ok_or_else(|| CardError::Invalid {
            key,
            value: text.to_owned(),
            expected,
        })
    }

    fn word<T: FromStr>(&self, key: &'static str, expected: &'static str) -> Result<T, CardError> {
        self.parsed(key, expected, |text| text.parse().ok())
    }

    /// An entry that may be missing, and has only one value that is done here.
    fn only(
        &self,
        key: &'static str,
        expected: &'static str,
        is: impl FnOnce(&str) -> bool,
    ) -> Result<(), CardError> {
        if self.get(key).is_none() {
            return Ok(());
        }
        self.parsed(key, expected, |text| is(text).then_some(()))
    }
}

/// `a` or `a,b,c`, all finite.
fn channel_values(text: &str) -> Option<[f32; 3]> {
    let values: Option<Vec<f32>> = text
        .split(',')
        .map(|part| {
            part.trim()
                .parse()
                .ok()
                .filter(|value: &f32| value.is_finite())
        })
        .collect();
    match values?.as_slice() {
        [one] => Some([*one; 3]),
        [a, b, c] => Some([*a, *b, *c]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[(&str, &str)] = &[
        ("producer", "not ours"),
        ("sparkles.name", "tiny"),
        ("sparkles.input", "image"),
        ("sparkles.input_height", "32"),
        ("sparkles.input_width", "32"),
        ("sparkles.channel_order", "RGB"),
        ("sparkles.pixel_range", "0..255"),
        ("sparkles.resize_filter", "bicubic"),
        ("sparkles.resize_policy", "crop"),
        ("sparkles.crop_fraction", "0.875"),
        ("sparkles.mean", "127"),
        ("sparkles.std", "128, 64, 32"),
        ("sparkles.feature_output", "features"),
        ("sparkles.feature_dimension", "16"),
    ];

    #[test]
    fn a_whole_card() {
        let Ok(card) = BackboneCard::from_metadata(WHOLE.iter().copied()) else {
            unreachable!("the card is whole")
        };
        assert_eq!(
            card.mean.map(f32::to_bits),
            [127.0_f32; 3].map(f32::to_bits)
        );
        assert_eq!(
            card.standard_deviation.map(f32::to_bits),
            [128.0_f32, 64.0, 32.0].map(f32::to_bits)
        );
        assert_eq!(card.resize_policy, ResizePolicy::Crop);
        assert_eq!(card.layout, Layout::ChannelsFirst);
        assert_eq!(card.logits_output, None);
        let entries = card.entries();
        let again = entries.iter().map(|(key, value)| (&**key, &**value));
        assert_eq!(BackboneCard::from_metadata(again), Ok(card.clone()));
        assert_eq!(card.license, "unknown");
    }

    #[test]
    fn odd_cards_name_the_key() {
        for (key, value, expected) in [
            ("sparkles.mean", None, "the card has no `sparkles.mean`"),
            (
                "sparkles.mean",
                Some("1,2"),
                "the card's `sparkles.mean` is `1,2`, expected one number or three",
            ),
            (
                "sparkles.std",
                Some("0"),
                "the card's `sparkles.std` is `0`, expected one number or three, none of them 0",
            ),
            (
                "sparkles.input_width",
                Some("16"),
                "the card's `sparkles.resize_policy` is `shorter-side-then-center-crop`, \
                 expected `stretch`, as the input is no square",
            ),
            (
                "sparkles.resize_antialias",
                Some("false"),
                "the card's `sparkles.resize_antialias` is `false`, expected true",
            ),
            (
                "sparkles.crop_fraction",
                Some("NaN"),
                "the card's `sparkles.crop_fraction` is `NaN`, expected a number above 0, at most 1",
            ),
            (
                "sparkles.resize_filter",
                Some("nearest"),
                "the card's `sparkles.resize_filter` is `nearest`, \
                 expected `bicubic`, `bilinear`, `lanczos` or `box`",
            ),
        ] {
            let entries = WHOLE
                .iter()
                .copied()
                .filter(|(other, _)| *other != key)
                .chain(value.map(|value| (key, value)));
            let told = BackboneCard::from_metadata(entries)
                .err()
                .map(|error| error.to_string());
            assert_eq!(told.as_deref(), Some(expected));
        }
        assert_eq!(
            BackboneCard::from_metadata([("other", "1")]),
            Err(CardError::NoCard)
        );
    }
}
