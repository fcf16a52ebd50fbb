//! From the bytes of a file to pixels in the stored frame.

mod jpeg;
mod raster;

use crate::error::ImageError;
use crate::guard::guarded;
use crate::header::{ImageFormat, ImageHeader};
use crate::pixels::{AlphaPolicy, Pixels};

/// Decodes an image into its stored frame: 8 bits a channel, grey or RGB.
///
/// `header` must be what [`crate::read_header`] said of the same bytes; bytes
/// that turn out to be of another size are corrupt. The rules are those of
/// Pillow's `convert("RGB")`: palettes expanded, CMYK and YCCK converted by the
/// plain formula (ICC profiles are not applied), the upper byte of 16-bit
/// samples, the first frame or page, alpha as `alpha` says. Grey stays one
/// channel. A file whose compressed data ends early or breaks is an error, as
/// it is by default in Pillow, and not half an image.
///
/// Allocates at most about [`ImageHeader::decode_bytes`]. A panic in a
/// third-party decoder becomes [`ImageError::Corrupt`].
pub fn decode(
    bytes: &[u8],
    header: &ImageHeader,
    alpha: AlphaPolicy,
) -> Result<Pixels, ImageError> {
    let decoded = guarded(|| match header.format {
        ImageFormat::Jpeg => jpeg::decode(bytes, header),
        _ => raster::decode(bytes, header, alpha),
    });
    decoded.unwrap_or_else(|| {
        Err(ImageError::corrupt(
            header.format,
            "the decoder gave up on it",
        ))
    })
}
