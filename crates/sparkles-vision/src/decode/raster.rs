//! PNG, GIF, BMP, TIFF and WebP, through the `image` crate.

use std::io::Cursor;

use image::codecs::{bmp, gif, png, tiff, webp};
use image::error::{ImageError as Refusal, LimitErrorKind, UnsupportedErrorKind};
use image::{ColorType, ImageDecoder, Limits, Rgba};

use crate::error::ImageError;
use crate::header::{ImageFormat, ImageHeader};
use crate::pixels::{AlphaPolicy, Pixels, as_index};

/// Decodes with the crate's own limits set to the header's bound and the
/// metadata that the file may carry.
pub(super) fn decode(
    bytes: &[u8],
    header: &ImageHeader,
    alpha: AlphaPolicy,
) -> Result<Pixels, ImageError> {
    let refused = |error| refusal(header.format, &error);
    let cursor = Cursor::new(bytes);
    let limits = limits(bytes, header);
    match header.format {
        ImageFormat::Png => read(
            png::PngDecoder::with_limits(cursor, limits).map_err(refused)?,
            header,
            alpha,
        ),
        ImageFormat::Gif => {
            let mut decoder = gif::GifDecoder::new(cursor).map_err(refused)?;
            decoder.set_limits(limits).map_err(refused)?;
            read(decoder, header, alpha)
        }
        ImageFormat::Bmp => {
            let mut decoder = bmp::BmpDecoder::new(cursor).map_err(refused)?;
            decoder.set_limits(limits).map_err(refused)?;
            read(decoder, header, alpha)
        }
        ImageFormat::Tiff => {
            let mut decoder = tiff::TiffDecoder::new(cursor).map_err(refused)?;
            decoder.set_limits(limits).map_err(refused)?;
            read(decoder, header, alpha)
        }
        ImageFormat::WebP => {
            let mut decoder = webp::WebPDecoder::new(cursor).map_err(refused)?;
            decoder.set_limits(limits).map_err(refused)?;
            if decoder.has_animation() {
                // The canvas begins clear; the file's colour is a hint that
                // viewers do not follow.
                decoder
                    .set_background_color(Rgba([0; 4]))
                    .map_err(refused)?;
            }
            read(decoder, header, alpha)
        }
        ImageFormat::Jpeg => Err(ImageError::unsupported("JPEG in the raster decoders")),
    }
}

fn limits(bytes: &[u8], header: &ImageHeader) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(header.width);
    limits.max_image_height = Some(header.height);
    let metadata = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    limits.max_alloc = Some(header.decode_bytes().saturating_add(metadata));
    limits
}

fn read(
    decoder: impl ImageDecoder,
    header: &ImageHeader,
    alpha: AlphaPolicy,
) -> Result<Pixels, ImageError> {
    let colours = decoder.color_type();
    let length = decoder.total_bytes();
    if decoder.dimensions() != (header.width, header.height) || length > header.decode_bytes() {
        return Err(ImageError::corrupt(
            header.format,
            "another size than its header said",
        ));
    }
    let layout = Layout::of(colours)?;
    let mut data = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    decoder
        .read_image(&mut data)
        .map_err(|error| refusal(header.format, &error))?;
    let pixels = as_index(header.width) * as_index(header.height);
    let channels = layout.compact(&mut data, pixels, alpha);
    Ok(Pixels {
        width: header.width,
        height: header.height,
        channels,
        data,
    })
}

/// How a decoder lays out its samples.
struct Layout {
    /// 1 or 3, without alpha.
    colours: usize,
    alpha: bool,
    /// Bytes a sample, in the machine's order.
    bytes: usize,
}

impl Layout {
    fn of(colours: ColorType) -> Result<Self, ImageError> {
        let (colours, alpha, bytes) = match colours {
            ColorType::L8 => (1, false, 1),
            ColorType::La8 => (1, true, 1),
            ColorType::Rgb8 => (3, false, 1),
            ColorType::Rgba8 => (3, true, 1),
            ColorType::L16 => (1, false, 2),
            ColorType::La16 => (1, true, 2),
            ColorType::Rgb16 => (3, false, 2),
            ColorType::Rgba16 => (3, true, 2),
            other => return Err(ImageError::unsupported(format!("{other:?} samples"))),
        };
        Ok(Self {
            colours,
            alpha,
            bytes,
        })
    }

    /// Moves the samples together in place: the upper byte of each, alpha
    /// dropped or laid on white. Returns the channels left.
    fn compact(&self, data: &mut Vec<u8>, pixels: usize, policy: AlphaPolicy) -> u8 {
        if self.alpha || self.bytes == 2 {
            // The upper byte stands last in little-endian order.
            let upper = usize::from(self.bytes == 2 && cfg!(target_endian = "little"));
            let stride = (self.colours + usize::from(self.alpha)) * self.bytes;
            let white = self.alpha && policy == AlphaPolicy::White;
            for pixel in 0..pixels {
                let from = pixel * stride + upper;
                let to = pixel * self.colours;
                let opacity = if white {
                    data.get(from + self.colours * self.bytes).copied()
                } else {
                    None
                };
                for colour in 0..self.colours {
                    let value = data.get(from + colour * self.bytes).copied().unwrap_or(0);
                    let value = opacity.map_or(value, |opacity| on_white(value, opacity));
                    if let Some(place) = data.get_mut(to + colour) {
                        *place = value;
                    }
                }
            }
            data.truncate(pixels * self.colours);
        }
        if self.colours == 1 { 1 } else { 3 }
    }
}

/// `value` of the given opacity over white, rounded: the mean of the two
/// weighted by opacity, of 255.
fn on_white(value: u8, opacity: u8) -> u8 {
    let (value, opacity) = (u32::from(value), u32::from(opacity));
    let sum = value * opacity + 255 * (255 - opacity);
    u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
}

/// Our error for the crate's.
fn refusal(format: ImageFormat, error: &Refusal) -> ImageError {
    match error {
        Refusal::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::truncated(format, "its data ends early")
        }
        Refusal::Unsupported(error) => ImageError::unsupported(match error.kind() {
            UnsupportedErrorKind::Color(colour) => format!("{format} of {colour:?} pixels"),
            UnsupportedErrorKind::GenericFeature(feature) => format!("{format}: {feature}"),
            _ => format!("this {format}"),
        }),
        Refusal::Limits(error) if error.kind() == LimitErrorKind::InsufficientMemory => {
            ImageError::corrupt(format, "it needs more memory than its header says")
        }
        other => ImageError::corrupt(format, innermost(other)),
    }
}

/// What the decoder itself said, without what was wrapped around it.
fn innermost(error: &Refusal) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    let first = text.split(" while decoding").next().unwrap_or_default();
    first.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_compacted_in_place() {
        let high = |values: &[u16]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_ne_bytes())
                .collect()
        };
        for (colours, mut data, policy, expected) in [
            (ColorType::L8, vec![7, 9], AlphaPolicy::Drop, vec![7, 9]),
            (
                ColorType::La8,
                vec![7, 0, 9, 255],
                AlphaPolicy::Drop,
                vec![7, 9],
            ),
            (
                ColorType::La8,
                vec![7, 0, 9, 255],
                AlphaPolicy::White,
                vec![255, 9],
            ),
            (
                ColorType::Rgba8,
                vec![0, 100, 255, 128, 1, 2, 3, 255],
                AlphaPolicy::White,
                vec![127, 177, 255, 1, 2, 3],
            ),
            (
                ColorType::L16,
                high(&[0x12ff, 0xfe00]),
                AlphaPolicy::Drop,
                vec![0x12, 0xfe],
            ),
            (
                ColorType::Rgba16,
                high(&[0x0102, 0x0304, 0x0506, 0]),
                AlphaPolicy::Drop,
                vec![1, 3, 5],
            ),
        ] {
            let Ok(layout) = Layout::of(colours) else {
                unreachable!("{colours:?} is known")
            };
            let pixels = expected.len() / layout.colours;
            layout.compact(&mut data, pixels, policy);
            assert_eq!(data, expected, "{colours:?} {policy}");
        }
    }
}
