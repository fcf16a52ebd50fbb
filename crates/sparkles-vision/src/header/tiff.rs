//! TIFF: the tags of the first directory.

use std::io::{self, BufRead, Seek};

use super::source::Source;
use super::{Cost, ImageFormat, ImageHeader, checked_pixels};
use crate::error::ImageError;
use crate::orientation::Orientation;

/// The values that matter, with TIFF's defaults.
struct Tags {
    width: u32,
    height: u32,
    bits: u32,
    compression: u32,
    photometric: u32,
    samples: u32,
    orientation: u32,
    sample_format: u32,
}

/// The header of a TIFF; the source stands at its first byte.
pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<ImageHeader, ImageError> {
    let reading = |error| ImageError::reading(ImageFormat::Tiff, error);
    let tags = Tags::read(source).map_err(reading)?;
    checked_pixels(ImageFormat::Tiff, tags.width, tags.height)?;
    match tags.photometric {
        3 => return Err(ImageError::unsupported("TIFF with a palette")),
        6 => return Err(ImageError::unsupported("TIFF in YCbCr")),
        8 => return Err(ImageError::unsupported("TIFF in CIELab")),
        _ => {}
    }
    if tags.sample_format == 3 {
        return Err(ImageError::unsupported("TIFF of floating-point samples"));
    }
    if !(1..=16).contains(&tags.bits) {
        return Err(ImageError::unsupported(format!("{}-bit TIFF", tags.bits)));
    }
    let Ok(channels @ 1..=4) = u8::try_from(tags.samples) else {
        return Err(ImageError::unsupported(format!(
            "TIFF of {} samples a pixel",
            tags.samples
        )));
    };
    let sample = if tags.bits > 8 { 2 } else { 1 };
    // The decoder's image, the copy handed out, and a strip, which may be all;
    // a strip of JPEG is held once more.
    let copies = if matches!(tags.compression, 6 | 7) {
        4
    } else {
        3
    };
    let orientation = u16::try_from(tags.orientation)
        .ok()
        .and_then(Orientation::from_exif)
        .unwrap_or_default();
    let cost = Cost {
        per_pixel: u64::from(channels) * sample * copies,
        more: 0,
    };
    ImageHeader::new(
        ImageFormat::Tiff,
        (tags.width, tags.height),
        channels,
        orientation,
        cost,
    )
}

impl Tags {
    fn read<R: BufRead + Seek>(source: &mut Source<R>) -> io::Result<Self> {
        let big = source.array::<4>()? == *b"MM\0*";
        let offset = word(source, big)?;
        source.go_to(u64::from(offset))?;
        let entries = short(source, big)?;
        let mut tags = Self {
            width: 0,
            height: 0,
            bits: 1,
            compression: 1,
            photometric: 0,
            samples: 1,
            orientation: 1,
            sample_format: 1,
        };
        let mut bits_elsewhere = None;
        for _ in 0..entries {
            let tag = short(source, big)?;
            let kind = short(source, big)?;
            let count = word(source, big)?;
            let bytes = source.array::<4>()?;
            let [first, second, _, _] = bytes;
            let value = match (kind, big) {
                (1, _) => u32::from(first),
                (3, true) => u32::from(u16::from_be_bytes([first, second])),
                (3, false) => u32::from(u16::from_le_bytes([first, second])),
                (_, true) => u32::from_be_bytes(bytes),
                (_, false) => u32::from_le_bytes(bytes),
            };
            // More than two shorts do not fit: an offset stands in their place.
            let elsewhere = kind == 3 && count > 2;
            match tag {
                256 => tags.width = value,
                257 => tags.height = value,
                258 if elsewhere => {
                    bits_elsewhere = Some(if big {
                        u32::from_be_bytes(bytes)
                    } else {
                        u32::from_le_bytes(bytes)
                    });
                }
                258 => tags.bits = value,
                259 => tags.compression = value,
                262 => tags.photometric = value,
                274 => tags.orientation = value,
                277 => tags.samples = value,
                339 if !elsewhere => tags.sample_format = value,
                _ => {}
            }
        }
        if let Some(offset) = bits_elsewhere {
            source.go_to(u64::from(offset))?;
            tags.bits = u32::from(short(source, big)?);
        }
        Ok(tags)
    }
}

fn short<R: BufRead + Seek>(source: &mut Source<R>, big: bool) -> io::Result<u16> {
    if big {
        source.u16_be()
    } else {
        source.u16_le()
    }
}

fn word<R: BufRead + Seek>(source: &mut Source<R>, big: bool) -> io::Result<u32> {
    if big {
        source.u32_be()
    } else {
        source.u32_le()
    }
}
