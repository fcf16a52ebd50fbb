//! BMP: file header and bitmap header.

use std::io::{BufRead, Seek};

use super::source::Source;
use super::{Cost, ImageFormat, ImageHeader, MAX_PIXELS};
use crate::error::ImageError;
use crate::orientation::Orientation;

/// The header of a BMP; the source stands at its first byte.
pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<ImageHeader, ImageError> {
    let reading = |error| ImageError::reading(ImageFormat::Bmp, error);
    source.skip(14).map_err(reading)?;
    let size = source.u32_le().map_err(reading)?;
    let (width, height, bits, compression) = if size == 12 {
        let width = u32::from(source.u16_le().map_err(reading)?);
        let height = u32::from(source.u16_le().map_err(reading)?);
        let _planes = source.u16_le().map_err(reading)?;
        (width, height, source.u16_le().map_err(reading)?, 0)
    } else {
        let width = source.array().map(i32::from_le_bytes).map_err(reading)?;
        // Negative: rows from top to bottom.
        let height = source.array().map(i32::from_le_bytes).map_err(reading)?;
        let _planes = source.u16_le().map_err(reading)?;
        let bits = source.u16_le().map_err(reading)?;
        let compression = if size == 16 {
            0
        } else {
            source.u32_le().map_err(reading)?
        };
        let Ok(width) = u32::try_from(width) else {
            return Err(ImageError::corrupt(
                ImageFormat::Bmp,
                format!("{width} columns"),
            ));
        };
        (width, height.unsigned_abs(), bits, compression)
    };
    if matches!(compression, 4 | 5) {
        return Err(ImageError::unsupported("BMP that wraps JPEG or PNG"));
    }
    if !matches!(bits, 1 | 2 | 4 | 8 | 16 | 24 | 32) {
        return Err(ImageError::unsupported(format!("BMP of {bits} bits")));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels <= MAX_PIXELS && width.max(height) > u32::from(u16::MAX) {
        return Err(ImageError::unsupported(
            "BMP of more than 65535 columns or rows",
        ));
    }
    let cost = Cost {
        per_pixel: 4,
        more: 8 * u64::from(width),
    };
    ImageHeader::new(
        ImageFormat::Bmp,
        (width, height),
        if bits == 32 { 4 } else { 3 },
        Orientation::UPRIGHT,
        cost,
    )
}
