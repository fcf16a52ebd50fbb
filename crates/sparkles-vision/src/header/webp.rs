//! WebP: the first chunk, and the EXIF chunk where one is announced.

use std::io::{BufRead, Seek};

use super::source::Source;
use super::{Cost, ImageFormat, ImageHeader, checked_pixels};
use crate::error::ImageError;
use crate::orientation::{Orientation, orientation_in_exif};

/// Chunks that are passed in search of EXIF: frames of an animation count.
const MOST_CHUNKS: usize = 10_000;

/// The header of a WebP; the source stands at its first byte.
pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<ImageHeader, ImageError> {
    let reading = |error| ImageError::reading(ImageFormat::WebP, error);
    source.skip(12).map_err(reading)?;
    let name = source.array::<4>().map_err(reading)?;
    let length = source.u32_le().map_err(reading)?;
    let mut orientation = Orientation::UPRIGHT;
    let (width, height, channels, per_pixel) = match &name {
        // Lossy: three planes of which two are quarters, and the result.
        b"VP8 " => {
            let [_, _, _, start @ ..] = source.array::<6>().map_err(reading)?;
            if start != [0x9d, 0x01, 0x2a] {
                return Err(ImageError::corrupt(
                    ImageFormat::WebP,
                    "a lossy frame without its start code",
                ));
            }
            let width = source.u16_le().map_err(reading)? & 0x3fff;
            let height = source.u16_le().map_err(reading)? & 0x3fff;
            (u32::from(width), u32::from(height), 3, 3 + 2)
        }
        // Lossless: always held with alpha, then copied.
        b"VP8L" => {
            let signature = source.byte().map_err(reading)?;
            let bits = source.u32_le().map_err(reading)?;
            if signature != 0x2f {
                return Err(ImageError::corrupt(
                    ImageFormat::WebP,
                    "a lossless frame without its signature",
                ));
            }
            let (width, height) = ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1);
            let channels = if (bits >> 28) & 1 == 1 { 4 } else { 3 };
            (width, height, channels, 4 + 4)
        }
        b"VP8X" => {
            let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = source.array::<10>().map_err(reading)?;
            let width = u32::from_le_bytes([w0, w1, w2, 0]) + 1;
            let height = u32::from_le_bytes([h0, h1, h2, 0]) + 1;
            checked_pixels(ImageFormat::WebP, width, height)?;
            if flags & 0x08 != 0 {
                let rest = u64::from(length).saturating_sub(10) + u64::from(length % 2);
                orientation = source
                    .skip(rest)
                    .and_then(|()| find_exif(source))
                    .unwrap_or_default();
            }
            let alpha = flags & 0x10 != 0;
            let animated = flags & 0x02 != 0;
            // Animated: canvas, frame, its planes and alpha, and the result.
            // Alpha: the result, planes, and a lossless image of the alpha.
            let per_pixel = match (animated, alpha) {
                (true, _) => 4 + 4 + 4 + 2 + 5,
                (false, true) => 4 + 2 + 5,
                (false, false) => 4 + 4,
            };
            (width, height, if alpha { 4 } else { 3 }, per_pixel)
        }
        _ => {
            return Err(ImageError::corrupt(
                ImageFormat::WebP,
                format!("it begins with a chunk `{}`", name.escape_ascii()),
            ));
        }
    };
    let cost = Cost {
        per_pixel,
        // Planes are padded to blocks of 16.
        more: 64 * (u64::from(width) + u64::from(height)),
    };
    ImageHeader::new(
        ImageFormat::WebP,
        (width, height),
        channels,
        orientation,
        cost,
    )
}

/// The orientation in the EXIF chunk, which stands behind the image.
fn find_exif<R: BufRead + Seek>(source: &mut Source<R>) -> std::io::Result<Orientation> {
    for _ in 0..MOST_CHUNKS {
        let name = source.array::<4>()?;
        let length = source.u32_le()?;
        if &name == b"EXIF" {
            let Ok(short) = u16::try_from(length) else {
                break;
            };
            let bytes = source.bytes(short)?;
            let exif = bytes.strip_prefix(b"Exif\0\0").unwrap_or(&bytes);
            return Ok(orientation_in_exif(exif));
        }
        source.skip(u64::from(length) + u64::from(length % 2))?;
    }
    Ok(Orientation::UPRIGHT)
}
