//! From plans to image files, whole and broken.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageEncoder, ImageError, ImageFormat, RgbImage, RgbaImage,
};

use super::plan::{Encoding, Flaw, Plan};
use super::{CollectionError, write};
use crate::demo::drawing::{Extras, draw_with_extras};

/// What drawing and writing one file brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) extras: Extras,
    pub(super) bytes: u64,
}

/// Draws and writes all files on every core; results in the order of the plans.
pub(super) fn write_all(images: &Path, plans: &[Plan]) -> Result<Vec<Written>, CollectionError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(plan) = plans.get(index) else {
                return Ok(done);
            };
            done.push((index, write_one(images, plan)?));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut written = vec![Written::default(); plans.len()];
    let results: Vec<Result<_, CollectionError>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    for result in results {
        for (index, one) in result? {
            if let Some(slot) = written.get_mut(index) {
                *slot = one;
            }
        }
    }
    Ok(written)
}

fn write_one(images: &Path, plan: &Plan) -> Result<Written, CollectionError> {
    let path = plan.path(images);
    let (picture, extras) = draw_with_extras(plan.scene, plan.width, plan.height, plan.seed);
    let encoded = encode(picture, plan).map_err(|source| CollectionError::Encode {
        path: path.clone(),
        source,
    })?;
    let bytes = match plan.flaw {
        None => encoded,
        Some(flaw) => spoil(encoded, flaw),
    };
    write(&path, &bytes)?;
    let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(Written { extras, bytes })
}

pub(super) fn encode(picture: RgbImage, plan: &Plan) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    match plan.encoding {
        Encoding::Jpeg {
            quality,
            grey,
            orientation,
        } => {
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
            let mut picture = DynamicImage::ImageRgb8(picture);
            if orientation != Orientation::NoTransforms {
                encoder
                    .set_exif_metadata(exif(orientation))
                    .map_err(ImageError::Unsupported)?;
                picture.apply_orientation(opposite(orientation));
            }
            if grey {
                picture = DynamicImage::ImageLuma8(picture.into_luma8());
            }
            picture.write_with_encoder(encoder)?;
        }
        Encoding::Png { alpha } => {
            let encoder = PngEncoder::new_with_quality(
                &mut bytes,
                CompressionType::Fast,
                FilterType::Adaptive,
            );
            if alpha {
                DynamicImage::ImageRgba8(rounded_off(&picture)).write_with_encoder(encoder)?;
            } else {
                DynamicImage::ImageRgb8(picture).write_with_encoder(encoder)?;
            }
        }
        Encoding::Gif => {
            let (width, height) = picture.dimensions();
            let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
            encoder.encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8)?;
        }
        Encoding::WebP => picture.write_to(&mut io::Cursor::new(&mut bytes), ImageFormat::WebP)?,
        Encoding::Bmp => picture.write_to(&mut io::Cursor::new(&mut bytes), ImageFormat::Bmp)?,
    }
    Ok(bytes)
}

/// The turn that undoes one of the three turns used here.
fn opposite(orientation: Orientation) -> Orientation {
    match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        other => other,
    }
}

/// An EXIF block whose one entry is the orientation (TIFF 6.0, tag 274).
fn exif(orientation: Orientation) -> Vec<u8> {
    let mut block = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([orientation.to_exif(), 0, 0, 0, 0, 0, 0, 0]);
    block
}

/// The picture with corners that fade into transparency.
fn rounded_off(picture: &RgbImage) -> RgbaImage {
    let (width, height) = picture.dimensions();
    let mut with_alpha = RgbaImage::new(width, height);
    let pixels = with_alpha.enumerate_pixels_mut().zip(picture.pixels());
    for ((x, y, pixel), drawn) in pixels {
        let [red, green, blue] = drawn.0;
        let edge_x = x.min(width - 1 - x);
        let edge_y = y.min(height - 1 - y);
        let alpha = u8::try_from((edge_x + edge_y) * 8).unwrap_or(u8::MAX);
        pixel.0 = [red, green, blue, alpha];
    }
    with_alpha
}

/// Makes a file of a healthy one's bytes that is no whole image any more.
pub(super) fn spoil(mut bytes: Vec<u8>, flaw: Flaw) -> Vec<u8> {
    match flaw {
        Flaw::CutOff => {
            bytes.truncate(bytes.len() * 2 / 5);
            bytes
        }
        Flaw::Damaged => {
            let (from, to) = (bytes.len() / 3, bytes.len() * 2 / 3);
            for byte in bytes.iter_mut().take(to).skip(from) {
                *byte = !*byte;
            }
            bytes
        }
        Flaw::Empty => Vec::new(),
        Flaw::Text => b"This photo is still on the camera. Ask for it.\n".to_vec(),
        Flaw::Html => b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n\
            <body><h1>Not Found</h1><p>The requested photo is no longer available.</p></body></html>\n"
            .to_vec(),
    }
}
