//! JPEG: the marker segments up to the first scan.

use std::io::{BufRead, Seek};

use super::source::Source;
use super::{Cost, ImageFormat, ImageHeader};
use crate::error::ImageError;
use crate::orientation::{Orientation, orientation_in_exif};

/// Junk between two segments that is skipped, as libjpeg does; more is no JPEG.
const MOST_JUNK: usize = 64 * 1024;

/// How the stored components become colours: libjpeg's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColourModel {
    Grey,
    YCbCr,
    Rgb,
    /// Red, green, blue, and the components' ids say so.
    NamedRgb,
    /// Four components; Adobe stores them inverted.
    Cmyk,
    Ycck,
}

/// What the segments before the first scan say.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) colours: ColourModel,
    pub(crate) orientation: Orientation,
    /// Bytes between segments that belong to none.
    pub(crate) junk: bool,
    /// Whether a Huffman table was defined; Motion JPEG leaves out the usual
    /// ones.
    pub(crate) has_huffman_tables: bool,
    /// The colour transform of an Adobe segment, where there is one.
    pub(crate) adobe: Option<u8>,
    /// Whether the decoder must hold all coefficients at once.
    buffered: bool,
    components: Vec<Component>,
}

/// Sampling factors of one component.
#[derive(Debug, Clone, Copy)]
struct Component {
    id: u8,
    horizontal: u8,
    vertical: u8,
}

/// The header of a JPEG; the source stands at its first byte.
pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<ImageHeader, ImageError> {
    let frame = Frame::read(source)?;
    let channels = match frame.colours {
        ColourModel::Grey => 1,
        ColourModel::YCbCr | ColourModel::Rgb | ColourModel::NamedRgb => 3,
        ColourModel::Cmyk | ColourModel::Ycck => 4,
    };
    let cost = Cost {
        per_pixel: if channels == 1 { 1 } else { 3 },
        more: frame.buffer_bytes(),
    };
    ImageHeader::new(
        ImageFormat::Jpeg,
        (u32::from(frame.width), u32::from(frame.height)),
        channels,
        frame.orientation,
        cost,
    )
}

impl Frame {
    /// Reads from the file's first byte to the first scan's header.
    pub(crate) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Self, ImageError> {
        let reading = |error| ImageError::reading(ImageFormat::Jpeg, error);
        let corrupt = |detail: String| ImageError::corrupt(ImageFormat::Jpeg, detail);
        source.skip(2).map_err(reading)?;
        let mut sized: Option<SizedFrame> = None;
        let (mut jfif, mut adobe) = (false, None);
        let mut orientation = Orientation::UPRIGHT;
        let (mut junk, mut has_huffman_tables) = (false, false);
        loop {
            let skipped = source.skip_past(0xff, MOST_JUNK).map_err(reading)?;
            let Some(skipped) = skipped else {
                return Err(corrupt(format!("no marker within {MOST_JUNK} bytes")));
            };
            junk |= skipped > 0;
            let mut marker = source.byte().map_err(reading)?;
            while marker == 0xff {
                marker = source.byte().map_err(reading)?;
            }
            match marker {
                // A stuffed zero is no marker; these have no length.
                0x00 | 0x01 | 0xd0..=0xd7 => {
                    junk = true;
                    continue;
                }
                0xd8 => return Err(corrupt("a second start of image".to_owned())),
                0xd9 => return Err(corrupt("it ends before its first scan".to_owned())),
                _ => {}
            }
            let length = source.u16_be().map_err(reading)?;
            let Some(length) = length.checked_sub(2) else {
                return Err(corrupt(format!("segment {marker:02x} of length {length}")));
            };
            match marker {
                0xc0..=0xc2 => {
                    if sized.is_some() {
                        return Err(corrupt("a second frame header".to_owned()));
                    }
                    let bytes = source.bytes(length).map_err(reading)?;
                    sized = Some(SizedFrame::parse(&bytes, marker == 0xc2)?);
                }
                0xc3 => return Err(ImageError::unsupported("lossless JPEG")),
                0xc9 | 0xca => return Err(ImageError::unsupported("arithmetic-coded JPEG")),
                0xcb => return Err(ImageError::unsupported("lossless arithmetic-coded JPEG")),
                0xc5..=0xc7 | 0xcd..=0xcf => {
                    return Err(ImageError::unsupported("hierarchical JPEG"));
                }
                0xc4 => {
                    has_huffman_tables = true;
                    source.skip(u64::from(length)).map_err(reading)?;
                }
                0xe0 => {
                    let bytes = source.bytes(length).map_err(reading)?;
                    jfif |= bytes.starts_with(b"JFIF\0");
                }
                0xe1 => {
                    let bytes = source.bytes(length).map_err(reading)?;
                    if let Some(exif) = bytes.strip_prefix(b"Exif\0\0") {
                        orientation = orientation_in_exif(exif);
                    }
                }
                0xee => {
                    let bytes = source.bytes(length).map_err(reading)?;
                    if bytes.starts_with(b"Adobe") {
                        adobe = bytes.get(11).copied().or(adobe);
                    }
                }
                0xda => {
                    let in_scan = source.byte().map_err(reading)?;
                    let Some(sized) = sized else {
                        return Err(corrupt("a scan without a frame header".to_owned()));
                    };
                    let colours = sized.colours(jfif, adobe)?;
                    let split = usize::from(in_scan) != sized.components.len();
                    let tall = sized.components.iter().any(|c| c.vertical > 1);
                    if split && tall && !sized.progressive && sized.components.len() > 1 {
                        // zune-jpeg 0.5.15 gives wrong pixels for these, silently.
                        return Err(ImageError::unsupported(
                            "baseline JPEG of separate scans with vertical subsampling",
                        ));
                    }
                    return Ok(Self {
                        width: sized.width,
                        height: sized.height,
                        colours,
                        orientation,
                        junk,
                        has_huffman_tables,
                        adobe,
                        buffered: sized.progressive || split,
                        components: sized.components,
                    });
                }
                _ => source.skip(u64::from(length)).map_err(reading)?,
            }
        }
    }

    /// The same of a file in memory.
    pub(crate) fn read_bytes(bytes: &[u8]) -> Result<Self, ImageError> {
        Self::read(&mut Source::new(std::io::Cursor::new(bytes)))
    }

    /// What the decoder holds beside its output: the coefficients of the whole
    /// image when scans are refined or split by component, else some rows.
    fn buffer_bytes(&self) -> u64 {
        let most = |factor: fn(&Component) -> u8| {
            u64::from(self.components.iter().map(factor).max().unwrap_or(1))
        };
        let (horizontal, vertical) = (most(|c| c.horizontal), most(|c| c.vertical));
        let columns = u64::from(self.width).div_ceil(8 * horizontal);
        let rows = u64::from(self.height).div_ceil(8 * vertical);
        let blocks: u64 = self
            .components
            .iter()
            .map(|c| columns * rows * u64::from(c.horizontal) * u64::from(c.vertical))
            .sum();
        let padded_width = columns * 8 * horizontal;
        let components = u64::try_from(self.components.len()).unwrap_or(4);
        let row_buffers = 64 * vertical * padded_width * components;
        // 64 coefficients of 2 bytes each.
        let coefficients = if self.buffered { blocks * 128 } else { 0 };
        coefficients + row_buffers
    }
}

/// A frame header (SOF0, SOF1, SOF2).
struct SizedFrame {
    width: u16,
    height: u16,
    progressive: bool,
    components: Vec<Component>,
}

impl SizedFrame {
    fn parse(bytes: &[u8], progressive: bool) -> Result<Self, ImageError> {
        let corrupt = |detail: String| ImageError::corrupt(ImageFormat::Jpeg, detail);
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = bytes else {
            return Err(corrupt(format!("a frame header of {} bytes", bytes.len())));
        };
        if precision != 8 {
            return Err(ImageError::unsupported(format!("{precision}-bit JPEG")));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(ImageError::unsupported(format!(
                "JPEG of {count} components"
            )));
        }
        let components: Vec<Component> = rest
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[id, sampling, _]| Component {
                id,
                horizontal: sampling >> 4,
                vertical: sampling & 15,
            })
            .collect();
        if components.len() != usize::from(count) {
            return Err(corrupt(format!(
                "{} components announced, {} described",
                count,
                components.len()
            )));
        }
        for Component {
            horizontal,
            vertical,
            ..
        } in &components
        {
            if !(1..=4).contains(horizontal) || !(1..=4).contains(vertical) {
                return Err(corrupt(format!(
                    "sampling factors {horizontal} x {vertical}"
                )));
            }
        }
        Ok(Self {
            width: u16::from_be_bytes([w1, w0]),
            height: u16::from_be_bytes([h1, h0]),
            progressive,
            components,
        })
    }

    /// libjpeg's `default_decompress_parms`: JFIF means YCbCr, else Adobe's
    /// transform decides, else the components' ids.
    fn colours(&self, jfif: bool, adobe: Option<u8>) -> Result<ColourModel, ImageError> {
        let ids: Vec<u8> = self
            .components
            .iter()
            .map(|component| component.id)
            .collect();
        match (ids.as_slice(), adobe) {
            ([_], _) => Ok(ColourModel::Grey),
            ([_, _, _], _) if jfif => Ok(ColourModel::YCbCr),
            (b"RGB", None | Some(0)) => Ok(ColourModel::NamedRgb),
            ([_, _, _], Some(0)) => Ok(ColourModel::Rgb),
            ([_, _, _], _) => Ok(ColourModel::YCbCr),
            ([_, _, _, _], None | Some(0)) => Ok(ColourModel::Cmyk),
            ([_, _, _, _], _) => Ok(ColourModel::Ycck),
            (ids, _) => Err(ImageError::unsupported(format!(
                "JPEG of {} components",
                ids.len()
            ))),
        }
    }
}

/// The segments of a file up to the first scan: marker, offset of the two bytes
/// of its length, and the bytes from there to its end. Junk between them is
/// passed over.
pub(crate) fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, usize, &[u8])> {
    let mut at = 2;
    std::iter::from_fn(move || {
        loop {
            at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)? + 1;
            at += bytes.get(at..)?.iter().position(|byte| *byte != 0xff)?;
            let marker = *bytes.get(at)?;
            at += 1;
            if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd9) {
                continue;
            }
            let start = at;
            let length: [u8; 2] = bytes.get(start..start + 2)?.try_into().ok()?;
            at += usize::from(u16::from_be_bytes(length));
            return Some((marker, start, bytes.get(start..at)?));
        }
    })
}
