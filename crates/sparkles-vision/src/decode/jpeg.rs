//! JPEG, through zune-jpeg.

use std::borrow::Cow;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::error::ImageError;
use crate::header::jpeg::{ColourModel, Frame, segments};
use crate::header::{ImageFormat, ImageHeader};
use crate::pixels::{Pixels, as_index};

/// The sides that a frame header can hold.
const MOST_SIDE: usize = 65_535;

/// Decodes to grey or RGB; CMYK and YCCK by libjpeg's and Pillow's formula
/// `r = (255 - c) * (255 - k) / 255`, after undoing Adobe's inversion.
pub(super) fn decode(bytes: &[u8], header: &ImageHeader) -> Result<Pixels, ImageError> {
    let frame = Frame::read_bytes(bytes)?;
    if (u32::from(frame.width), u32::from(frame.height)) != (header.width, header.height) {
        return Err(ImageError::corrupt(
            ImageFormat::Jpeg,
            "another size than its header said",
        ));
    }
    if !has_end(bytes) {
        return Err(ImageError::truncated(
            ImageFormat::Jpeg,
            "no end of image after the last scan",
        ));
    }
    let channels = if frame.colours == ColourModel::Grey {
        1
    } else {
        3
    };
    // Asking for the space that the decoder believes to be the stored one
    // copies the components as they are: RGB stored as such.
    let wanted = match frame.colours {
        ColourModel::Grey => ColorSpace::Luma,
        ColourModel::Rgb => ColorSpace::YCbCr,
        _ => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MOST_SIDE)
        .set_max_height(MOST_SIDE)
        .jpeg_set_out_colorspace(wanted);
    let source = tidied(bytes, &frame);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(source.as_ref()), options);
    let length = as_index(header.width) * as_index(header.height) * usize::from(channels);
    let mut data = vec![0; length];
    decoder.decode_into(&mut data).map_err(refusal)?;
    Ok(Pixels {
        width: header.width,
        height: header.height,
        channels,
        data,
    })
}

/// Whether an end-of-image marker follows the first scan's header. libjpeg
/// waits for it, so a file without one is cut, wherever the cut is.
fn has_end(bytes: &[u8]) -> bool {
    // Thumbnails, which have ends of their own, stand before the scan.
    let scan = segments(bytes).find(|(marker, _, _)| *marker == 0xda);
    let Some(rest) = scan.and_then(|(_, at, _)| bytes.get(at..)) else {
        return false;
    };
    // Nearly always it is at the very end.
    rest.windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}

/// The file as the decoder reads it without complaint: without junk between the
/// segments, with an Adobe segment only where it says what the decoder takes
/// from it, and with the mark of Motion JPEG where the usual Huffman tables are
/// left out. Borrowed in the common case that nothing is odd.
fn tidied<'a>(bytes: &'a [u8], frame: &Frame) -> Cow<'a, [u8]> {
    let adobe_agrees = matches!(
        (frame.colours, frame.adobe),
        (_, None)
            | (ColourModel::YCbCr, Some(1))
            | (ColourModel::Cmyk, Some(0))
            | (ColourModel::Ycck, Some(2))
    );
    if !frame.junk && adobe_agrees && frame.has_huffman_tables {
        return Cow::Borrowed(bytes);
    }
    let mut tidy = Vec::with_capacity(bytes.len() + 32);
    tidy.extend_from_slice(&[0xff, 0xd8]);
    if !frame.has_huffman_tables {
        tidy.extend_from_slice(b"\xff\xe0\x00\x07AVI1\0");
    }
    if frame.colours == ColourModel::Ycck {
        tidy.extend_from_slice(b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\x02");
    }
    for (marker, at, segment) in segments(bytes) {
        if marker == 0xda {
            tidy.extend_from_slice(&[0xff, 0xda]);
            tidy.extend_from_slice(bytes.get(at..).unwrap_or_default());
            break;
        }
        // Application data and comments say nothing more about pixels.
        if !matches!(marker, 0xe0..=0xef | 0xfe) {
            tidy.extend_from_slice(&[0xff, marker]);
            tidy.extend_from_slice(segment);
        }
    }
    Cow::Owned(tidy)
}

/// Our error for the decoder's.
fn refusal(error: DecodeErrors) -> ImageError {
    match error {
        DecodeErrors::ExhaustedData
        | DecodeErrors::IoErrors(_)
        | DecodeErrors::FormatStatic("Premature end of buffer") => {
            ImageError::truncated(ImageFormat::Jpeg, "its data ends early")
        }
        DecodeErrors::Unsupported(scheme) => ImageError::unsupported(format!("JPEG: {scheme:?}")),
        other => ImageError::corrupt(ImageFormat::Jpeg, first_sentence(&other.to_string())),
    }
}

/// The first line, without the full stop and quotes.
fn first_sentence(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.trim_matches(|c: char| c == '"' || c == '.' || c.is_whitespace())
        .to_owned()
}
