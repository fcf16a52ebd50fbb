//! What the first bytes of a file say: format, size, orientation, and what a
//! decode will cost.

mod bmp;
mod gif;
pub(crate) mod jpeg;
mod png;
mod source;
mod tiff;
mod webp;

use std::fmt;
use std::io::{BufRead, Seek};

use crate::error::ImageError;
use crate::orientation::Orientation;
use source::Source;

/// The most pixels that are decoded: Pillow's limit, twice its warning at
/// 1024 * 1024 * 1024 / 4 / 3.
pub const MAX_PIXELS: u64 = 178_956_970;

/// What decoders keep beside the buffers that grow with the image: tables,
/// windows, the state of an inflate.
const FIXED_BYTES: u64 = 512 * 1024;

/// A format that is decoded. `Display` is its name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// JPEG: baseline, extended and progressive, 8 bits, Huffman-coded.
    Jpeg,
    /// PNG; of an animated one the default image.
    Png,
    /// GIF; of an animated one the first frame.
    Gif,
    /// BMP, with run lengths or without.
    Bmp,
    /// TIFF; of several pages the first.
    Tiff,
    /// WebP, lossy or lossless; of an animated one the first frame.
    WebP,
}

impl ImageFormat {
    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
            Self::WebP => "webp",
        }
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the header of an image file says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageHeader {
    /// The format, told by the first bytes.
    pub format: ImageFormat,
    /// Columns of the stored frame.
    pub width: u32,
    /// Rows of the stored frame.
    pub height: u32,
    /// Channels, palettes expanded: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and
    /// alpha or CMYK.
    pub channels: u8,
    /// How the stored frame is turned upright.
    pub orientation: Orientation,
    /// Upper bound of what a decode allocates.
    decode_bytes: u64,
}

impl ImageHeader {
    /// Width and height as the image is looked at.
    pub fn upright_size(&self) -> (u32, u32) {
        if self.orientation.swaps_axes() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }

    /// Upper bound, in bytes, of the memory that [`crate::decode`] takes at its
    /// peak: the result and the decoder's own buffers (coefficients of a
    /// progressive JPEG, 16-bit samples, expanded palettes, whole TIFF strips,
    /// WebP planes). Metadata that a decoder keeps is bounded by the file's own
    /// length and not counted.
    pub fn decode_bytes(&self) -> u64 {
        self.decode_bytes
    }

    /// Checks the size and completes the header with the decoder's cost:
    /// `per_pixel` bytes for each pixel, `rows` more, and a fixed part.
    fn new(
        format: ImageFormat,
        (width, height): (u32, u32),
        channels: u8,
        orientation: Orientation,
        cost: Cost,
    ) -> Result<Self, ImageError> {
        let pixels = checked_pixels(format, width, height)?;
        let decode_bytes = pixels
            .saturating_mul(cost.per_pixel)
            .saturating_add(cost.more)
            .saturating_add(FIXED_BYTES);
        Ok(Self {
            format,
            width,
            height,
            channels,
            orientation,
            decode_bytes,
        })
    }
}

impl fmt::Display for ImageHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} x {} pixels",
            self.format, self.width, self.height
        )?;
        if self.orientation.exif() != 1 {
            write!(f, ", orientation {}", self.orientation)?;
        }
        Ok(())
    }
}

/// What a decode costs, beside [`FIXED_BYTES`].
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Bytes for each pixel of the stored frame.
    per_pixel: u64,
    /// Bytes that do not follow from the number of pixels.
    more: u64,
}

/// `width * height`, neither zero nor beyond [`MAX_PIXELS`].
fn checked_pixels(format: ImageFormat, width: u32, height: u32) -> Result<u64, ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::corrupt(
            format,
            format!("{width} x {height} pixels"),
        ));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        return Err(ImageError::TooLarge {
            width: u64::from(width),
            height: u64::from(height),
            limit: MAX_PIXELS,
        });
    }
    Ok(pixels)
}

/// Reads as much of a file as says what it is and what decoding it costs.
///
/// Reads forward and skips by seeking, so a reader that fetches lazily fetches
/// little; never holds more than 64 KiB of the file, whatever the header says.
/// The reader stands at the file's first byte.
pub fn read_header<R: BufRead + Seek>(reader: R) -> Result<ImageHeader, ImageError> {
    let mut source = Source::new(reader);
    let (first, length) = source.first_bytes()?;
    let first = first.get(..length).unwrap_or_default();
    match sniff(first)? {
        ImageFormat::Jpeg => jpeg::read(&mut source),
        ImageFormat::Png => png::read(&mut source),
        ImageFormat::Gif => gif::read(&mut source),
        ImageFormat::Bmp => bmp::read(&mut source),
        ImageFormat::Tiff => tiff::read(&mut source),
        ImageFormat::WebP => webp::read(&mut source),
    }
}

/// The format that the first (at most 32) bytes of a file announce.
fn sniff(first: &[u8]) -> Result<ImageFormat, ImageError> {
    let at = |offset: usize, magic: &[u8]| {
        first
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    if first.is_empty() {
        return Err(ImageError::NotAnImage {
            detail: "the file is empty".to_owned(),
        });
    }
    if at(0, b"\xff\xd8") {
        return Ok(ImageFormat::Jpeg);
    }
    if at(0, b"\x89PNG\r\n\x1a\n") {
        return Ok(ImageFormat::Png);
    }
    if at(0, b"GIF87a") || at(0, b"GIF89a") {
        return Ok(ImageFormat::Gif);
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Ok(ImageFormat::WebP);
    }
    if at(0, b"II*\0") || at(0, b"MM\0*") {
        return Ok(ImageFormat::Tiff);
    }
    // Two letters are little: the size of the second header must be one of
    // those that exist.
    let bitmap_header = first.get(14..18).and_then(|size| size.try_into().ok());
    if at(0, b"BM")
        && matches!(
            bitmap_header.map(u32::from_le_bytes),
            Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)
        )
    {
        return Ok(ImageFormat::Bmp);
    }
    if let Some(kind) = known_but_unsupported(first) {
        return Err(ImageError::unsupported(kind));
    }
    let shown: Vec<String> = first
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Err(ImageError::NotAnImage {
        detail: format!("it begins with {}", shown.join(" ")),
    })
}

/// The name of an image format that is recognised and not decoded.
fn known_but_unsupported(first: &[u8]) -> Option<&'static str> {
    const MAGICS: &[(usize, &[u8], &str)] = &[
        (4, b"ftypavif", "AVIF"),
        (4, b"ftypavis", "AVIF"),
        (4, b"ftypheic", "HEIC"),
        (4, b"ftypheix", "HEIC"),
        (4, b"ftyphevc", "HEIC"),
        (4, b"ftypmif1", "HEIF"),
        (4, b"ftypmsf1", "HEIF"),
        (4, b"jP  \r\n\x87\n", "JPEG 2000"),
        (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
        (0, b"\xff\x0a", "JPEG XL"),
        (4, b"JXL \r\n\x87\n", "JPEG XL"),
        (0, b"II+\0", "BigTIFF"),
        (0, b"MM\0+", "BigTIFF"),
        (0, b"qoif", "QOI"),
        (0, b"#?RADIANCE", "Radiance HDR"),
        (0, b"#?RGBE", "Radiance HDR"),
        (0, b"farbfeld", "farbfeld"),
        (0, b"8BPS", "Photoshop"),
        (0, b"DDS ", "DDS"),
        (0, b"v/1\x01", "OpenEXR"),
        (0, b"\0\0\x01\0", "ICO"),
    ];
    for (offset, magic, name) in MAGICS {
        if first
            .get(*offset..)
            .is_some_and(|rest| rest.starts_with(magic))
        {
            return Some(name);
        }
    }
    if let [b'P', b'1'..=b'7', next, ..] = first
        && next.is_ascii_whitespace()
    {
        return Some("Netpbm");
    }
    // TGA has no magic: a header whose every field is one that exists.
    let header: [u8; 18] = first.get(..18)?.try_into().ok()?;
    let [
        _,
        map,
        kind,
        m0,
        m1,
        m2,
        m3,
        m4,
        _,
        _,
        _,
        _,
        w0,
        w1,
        h0,
        h1,
        depth,
        flags,
    ] = header;
    let plain = map == 0 && matches!(kind, 2 | 3 | 10 | 11) && [m0, m1, m2, m3, m4] == [0; 5];
    let mapped = map == 1 && matches!(kind, 1 | 9);
    let sized = [w0, w1] != [0; 2] && [h0, h1] != [0; 2];
    let known = matches!(depth, 8 | 15 | 16 | 24 | 32) && flags & 0xc0 == 0;
    if (plain || mapped) && sized && known {
        return Some("TGA");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_their_first_bytes() {
        for (first, expected) in [
            (&b"\xff\xd8"[..], "jpeg"),
            (b"\x89PNG\r\n\x1a\n", "png"),
            (b"GIF89a", "gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
            (b"MM\0*", "tiff"),
            (b"BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0", "bmp"),
            (b"", "not an image: the file is empty"),
            (
                b"BMW is not a bitmap",
                "not an image: it begins with 42 4d 57 20 69 73 20 6e",
            ),
            (b"\0\0\0\x20ftypavif", "AVIF is not supported"),
            (b"P6 640 480", "Netpbm is not supported"),
            (
                b"\0\0\x02\0\0\0\0\0\0\0\0\0\x80\0\x80\0\x18\x20",
                "TGA is not supported",
            ),
        ] {
            let told = match sniff(first) {
                Ok(format) => format.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected);
        }
    }
}
