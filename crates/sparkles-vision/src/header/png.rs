//! PNG: the chunks before the first data.

use std::io::{BufRead, Seek};

use super::source::Source;
use super::{Cost, ImageFormat, ImageHeader, checked_pixels};
use crate::error::ImageError;
use crate::orientation::{Orientation, orientation_in_exif};

/// The header of a PNG; the source stands at its first byte.
pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<ImageHeader, ImageError> {
    let reading = |error| ImageError::reading(ImageFormat::Png, error);
    let corrupt = |detail: &str| ImageError::corrupt(ImageFormat::Png, detail);
    source.skip(8).map_err(reading)?;
    let length = source.u32_be().map_err(reading)?;
    if &source.array::<4>().map_err(reading)? != b"IHDR" || length != 13 {
        return Err(corrupt("it does not begin with a header chunk"));
    }
    let width = source.u32_be().map_err(reading)?;
    let height = source.u32_be().map_err(reading)?;
    let [depth, colour, _, _, _] = source.array::<5>().map_err(reading)?;
    source.skip(4).map_err(reading)?;
    checked_pixels(ImageFormat::Png, width, height)?;
    let (channels, alpha) = match colour {
        0 => (1, false),
        2 | 3 => (3, false),
        4 => (2, true),
        6 => (4, true),
        _ => return Err(corrupt("a colour type that does not exist")),
    };
    if !matches!(depth, 1 | 2 | 4 | 8 | 16) {
        return Err(corrupt("a bit depth that does not exist"));
    }
    let mut transparent = false;
    let mut orientation = Orientation::UPRIGHT;
    loop {
        let length = source.u32_be().map_err(reading)?;
        let name = source.array::<4>().map_err(reading)?;
        match &name {
            b"IDAT" => break,
            b"IEND" => return Err(corrupt("it ends without data")),
            b"tRNS" => transparent = !alpha,
            b"eXIf" => {
                if let Ok(short) = u16::try_from(length) {
                    let exif = source.bytes(short).map_err(reading)?;
                    orientation = orientation_in_exif(&exif);
                    source.skip(4).map_err(reading)?;
                    continue;
                }
            }
            _ => {}
        }
        source.skip(u64::from(length) + 4).map_err(reading)?;
    }
    let channels: u8 = channels + u8::from(transparent);
    let bytes = u64::from(channels) * if depth == 16 { 2 } else { 1 };
    let cost = Cost {
        per_pixel: bytes,
        // Two rows to undo the filters, one to expand, all of the widest kind.
        more: 8 * bytes * u64::from(width),
    };
    ImageHeader::new(
        ImageFormat::Png,
        (width, height),
        channels,
        orientation,
        cost,
    )
}
