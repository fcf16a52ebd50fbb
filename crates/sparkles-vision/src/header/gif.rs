//! GIF: the screen and the place of the first frame.

use std::io::{BufRead, Seek};

use super::source::Source;
use super::{Cost, ImageFormat, ImageHeader, checked_pixels};
use crate::error::ImageError;
use crate::orientation::Orientation;

/// The header of a GIF; the source stands at its first byte.
pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<ImageHeader, ImageError> {
    let reading = |error| ImageError::reading(ImageFormat::Gif, error);
    source.skip(6).map_err(reading)?;
    let width = u32::from(source.u16_le().map_err(reading)?);
    let height = u32::from(source.u16_le().map_err(reading)?);
    let [flags, _, _] = source.array::<3>().map_err(reading)?;
    checked_pixels(ImageFormat::Gif, width, height)?;
    skip_palette(source, flags).map_err(reading)?;
    let mut transparent = false;
    loop {
        match source.byte().map_err(reading)? {
            0x2c => break,
            0x21 => {
                let label = source.byte().map_err(reading)?;
                let length = source.byte().map_err(reading)?;
                if label == 0xf9 && length == 4 {
                    let [flags, _, _, _] = source.array::<4>().map_err(reading)?;
                    transparent = flags & 1 != 0;
                } else {
                    source.skip(u64::from(length)).map_err(reading)?;
                }
                // An empty first block ends the extension as well.
                if length > 0 {
                    skip_blocks(source).map_err(reading)?;
                }
            }
            0x3b => return Err(ImageError::corrupt(ImageFormat::Gif, "it has no frame")),
            // Padding, which decoders skip.
            0x00 => {}
            other => {
                return Err(ImageError::corrupt(
                    ImageFormat::Gif,
                    format!("block {other:02x} instead of a frame"),
                ));
            }
        }
    }
    source.skip(4).map_err(reading)?;
    let frame_width = u32::from(source.u16_le().map_err(reading)?);
    let frame_height = u32::from(source.u16_le().map_err(reading)?);
    let frame = checked_pixels(ImageFormat::Gif, frame_width, frame_height)?;
    let cost = Cost {
        per_pixel: 4,
        more: 4 * frame,
    };
    ImageHeader::new(
        ImageFormat::Gif,
        (width, height),
        if transparent { 4 } else { 3 },
        Orientation::UPRIGHT,
        cost,
    )
}

/// Skips the colour table that `flags` announce.
fn skip_palette<R: BufRead + Seek>(source: &mut Source<R>, flags: u8) -> std::io::Result<()> {
    if flags & 0x80 == 0 {
        return Ok(());
    }
    source.skip(3 << ((flags & 7) + 1))
}

/// Skips data blocks up to the empty one that ends them.
fn skip_blocks<R: BufRead + Seek>(source: &mut Source<R>) -> std::io::Result<()> {
    loop {
        match source.byte()? {
            0 => return Ok(()),
            length => source.skip(u64::from(length))?,
        }
    }
}
