//! From pixels to a backbone's input, as its card says.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    pixels::{U8, U8x3},
};

use crate::card::{BackboneCard, ChannelOrder, Layout, PixelRange, ResizeFilter, ResizePolicy};
use crate::error::ImageError;
use crate::orientation::Orientation;
use crate::pixels::{Pixels, as_index};

/// The most that a resize buffer keeps from one image to the next; a larger one,
/// of an image of more than about 12 megapixels, is given back.
const KEPT_BYTES: usize = 2 * 1024 * 1024;

/// The support of Lanczos with three lobes, the widest filter.
const WIDEST_KERNEL: f64 = 3.0;

/// The most that the buffer between the two passes of a resize may take.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Turns pixels into the tensor of one backbone. Keeps its buffers, so one
/// serves many images; what it makes depends on the image alone.
#[derive(Debug)]
pub(crate) struct Preprocessor {
    width: u32,
    height: u32,
    policy: ResizePolicy,
    /// The side that the shorter side is resized to.
    shorter_side: u32,
    filter: FilterType,
    layout: Layout,
    /// The input's value for each byte, by the input's channel.
    values: [[f32; 256]; 3],
    /// Which of red, green, blue each channel of the input is.
    order: [usize; 3],
    resizer: Resizer,
    between: Vec<u8>,
    resized: Vec<u8>,
    tensor: Vec<f32>,
}

impl Preprocessor {
    pub(crate) fn new(card: &BackboneCard) -> Self {
        let order = match card.channel_order {
            ChannelOrder::Rgb => [0, 1, 2],
            ChannelOrder::Bgr => [2, 1, 0],
        };
        let moments = std::iter::zip(card.mean, card.standard_deviation);
        let mut values = [[0.0; 256]; 3];
        for (row, (mean, deviation)) in values.iter_mut().zip(moments) {
            for (byte, value) in (0..=u8::MAX).zip(row.iter_mut()) {
                let pixel = match card.pixel_range {
                    PixelRange::Bytes => f32::from(byte),
                    PixelRange::Unit => f32::from(byte) / 255.0,
                };
                *value = (pixel - mean) / deviation;
            }
        }
        let size = as_index(card.width) * as_index(card.height);
        Self {
            width: card.width,
            height: card.height,
            policy: card.resize_policy,
            shorter_side: shorter_side(card.width, card.crop_fraction),
            filter: match card.resize_filter {
                ResizeFilter::Bicubic => FilterType::CatmullRom,
                ResizeFilter::Bilinear => FilterType::Bilinear,
                ResizeFilter::Lanczos => FilterType::Lanczos3,
                ResizeFilter::Box => FilterType::Box,
            },
            layout: card.layout,
            values,
            order,
            resizer: Resizer::new(),
            between: Vec::new(),
            resized: Vec::with_capacity(size * 3),
            tensor: vec![0.0; size * 3],
        }
    }

    /// Bytes of the tensor and the buffers that are kept.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.tensor.len() * size_of::<f32>() + self.tensor.len() + 2 * KEPT_BYTES
    }

    /// The tensor of an image that `orientation` turns upright.
    ///
    /// The image is resized where it lies and the small result is read turned:
    /// the square of the input is taken from the stored frame by giving the
    /// resize a source box with fractions, which has the same kernel weights as
    /// resizing the whole upright image and cutting the square out.
    pub(crate) fn tensor(
        &mut self,
        pixels: &Pixels,
        orientation: Orientation,
    ) -> Result<&[f32], ImageError> {
        let area = self.area(pixels, orientation);
        let size = if orientation.swaps_axes() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        };
        // Pillow's order: the upright image's columns first.
        let columns_first = !orientation.swaps_axes();
        if pixels.channels == 1 {
            self.resize::<U8>(pixels, area, size, columns_first)?;
            self.fill::<1>(orientation);
        } else {
            self.resize::<U8x3>(pixels, area, size, columns_first)?;
            self.fill::<3>(orientation);
        }
        if self.between.capacity() > KEPT_BYTES {
            self.between = Vec::new();
        }
        if self.resizer.size_of_internal_buffers() > KEPT_BYTES {
            self.resizer.reset_internal_buffers();
        }
        Ok(&self.tensor)
    }

    /// The part of the stored frame that becomes the input.
    fn area(&self, pixels: &Pixels, orientation: Orientation) -> Area {
        let (columns, rows) = match self.policy {
            ResizePolicy::Stretch => (Span::whole(pixels.width), Span::whole(pixels.height)),
            ResizePolicy::Crop => {
                let (width, height) = (pixels.width, pixels.height);
                let shorter = width.min(height);
                let span = |side| Span::central(side, shorter, self.shorter_side, self.width);
                (span(width), span(height))
            }
        };
        // Offsets are rounded down in the upright frame: an axis that it runs
        // against has them from its other end.
        let (flip_columns, flip_rows) = if orientation.swaps_axes() {
            (orientation.flips_rows(), orientation.flips_columns())
        } else {
            (orientation.flips_columns(), orientation.flips_rows())
        };
        Area {
            columns: columns.flipped_if(flip_columns, pixels.width),
            rows: rows.flipped_if(flip_rows, pixels.height),
        }
    }

    /// Resizes `area` of the stored frame to `size`, into `self.resized`.
    ///
    /// The result is rounded to bytes between the two passes, so their order
    /// shows: left to itself the resizer takes rows first.
    fn resize<P: PixelTrait>(
        &mut self,
        pixels: &Pixels,
        area: Area,
        (width, height): (u32, u32),
        columns_first: bool,
    ) -> Result<(), ImageError> {
        let channels = usize::from(pixels.channels);
        let thin = || {
            ImageError::unsupported(format!(
                "stretching {} x {} pixels",
                pixels.width, pixels.height
            ))
        };
        self.resized.clear();
        let length = as_index(width) * as_index(height) * channels;
        self.resized.resize(length, 0);
        let stored = (pixels.width, pixels.height);
        if !columns_first {
            let used = area.columns.used(pixels.width, width);
            let between = as_index(used.1).saturating_mul(as_index(height));
            if between.saturating_mul(channels) > MOST_BYTES {
                return Err(thin());
            }
            return self.pass::<P>(&pixels.data, stored, area, Pass::Whole(width, height));
        }
        let (first, rows) = area.rows.used(pixels.height, height);
        let between = as_index(width).saturating_mul(as_index(rows));
        if between.saturating_mul(channels) > MOST_BYTES {
            return Err(thin());
        }
        self.between.clear();
        self.between.resize(between * channels, 0);
        let whole_rows = Area {
            columns: area.columns,
            rows: Span {
                start: f64::from(first),
                length: f64::from(rows),
            },
        };
        self.pass::<P>(&pixels.data, stored, whole_rows, Pass::Columns(width, rows))?;
        let rest = Area {
            columns: Span::whole(width),
            rows: Span {
                start: area.rows.start - f64::from(first),
                length: area.rows.length,
            }
            .within(rows),
        };
        let source = std::mem::take(&mut self.between);
        let done = self.pass::<P>(&source, (width, rows), rest, Pass::Whole(width, height));
        self.between = source;
        done
    }

    /// One call of the resizer: `area` of `source` to the pass's size.
    fn pass<P: PixelTrait>(
        &mut self,
        source: &[u8],
        (width, height): (u32, u32),
        area: Area,
        pass: Pass,
    ) -> Result<(), ImageError> {
        let refused = |detail: String| ImageError::Engine {
            detail: format!("cannot resize {width} x {height}: {detail}"),
        };
        let source = TypedImageRef::<P>::from_buffer(width, height, source)
            .map_err(|error| refused(error.to_string()))?;
        let (target, columns, rows) = match pass {
            Pass::Columns(columns, rows) => (&mut self.between, columns, rows),
            Pass::Whole(columns, rows) => (&mut self.resized, columns, rows),
        };
        let mut target = TypedImage::<P>::from_buffer(columns, rows, target)
            .map_err(|error| refused(error.to_string()))?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(self.filter))
            .crop(
                area.columns.start,
                area.rows.start,
                area.columns.length,
                area.rows.length,
            );
        self.resizer
            .resize_typed(&source, &mut target, &options)
            .map_err(|error| refused(error.to_string()))
    }

    /// Writes the tensor from the resized square, turning it upright.
    fn fill<const CHANNELS: usize>(&mut self, orientation: Orientation) {
        let (width, height) = (as_index(self.width), as_index(self.height));
        let stored_width = if orientation.swaps_axes() {
            height
        } else {
            width
        };
        let (square, _) = self.resized.as_chunks::<CHANNELS>();
        let plane = width * height;
        for (channel, colour) in self.order.into_iter().enumerate() {
            let values = self.values.get(colour).unwrap_or(&[0.0; 256]);
            let colour = colour.min(CHANNELS - 1);
            let value = |pixel: &[u8; CHANNELS]| values[usize::from(pixel[colour])];
            let (start, step) = match self.layout {
                Layout::ChannelsFirst => (channel * plane, 1),
                Layout::ChannelsLast => (channel, 3),
            };
            let Some(target) = self.tensor.get_mut(start..) else {
                continue;
            };
            let target = target.iter_mut().step_by(step);
            if orientation.exif() == 1 {
                for (place, pixel) in target.zip(square) {
                    *place = value(pixel);
                }
                continue;
            }
            let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            for (place, at) in target.zip(places) {
                let (column, row) = orientation.stored(at, (width, height));
                if let Some(pixel) = square.get(row * stored_width + column) {
                    *place = value(pixel);
                }
            }
        }
    }
}

/// The side that the shorter side is resized to: `side / fraction`, rounded as
/// Python's `round` does.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and `as` saturates"
)]
fn shorter_side(side: u32, fraction: f64) -> u32 {
    (f64::from(side) / fraction).round_ties_even() as u32
}

/// Which buffer a call of the resizer fills, and its columns and rows.
#[derive(Debug, Clone, Copy)]
enum Pass {
    /// The columns' pass, into the buffer between the two.
    Columns(u32, u32),
    /// The last pass, or both, into the result.
    Whole(u32, u32),
}

/// A rectangle of the stored frame, in pixels and fractions of them.
#[derive(Debug, Clone, Copy)]
struct Area {
    columns: Span,
    rows: Span,
}

/// A stretch of an axis.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: f64,
    length: f64,
}

impl Span {
    fn whole(side: u32) -> Self {
        Self {
            start: 0.0,
            length: f64::from(side),
        }
    }

    /// The central `wanted` of an axis that is resized as the `shorter` side is
    /// to `target`, in pixels before the resize.
    ///
    /// The resized length is `floor(side * target / shorter + 0.5)`, the offset
    /// `(resized - wanted) / 2` rounded down, both in whole numbers as in
    /// Pillow's order; what comes out are the source pixels that cover it.
    fn central(side: u32, shorter: u32, target: u32, wanted: u32) -> Self {
        let (shorter, target) = (u64::from(shorter.max(1)), u64::from(target.max(wanted)));
        let resized = (2 * u64::from(side) * target + shorter) / (2 * shorter);
        let offset = resized.saturating_sub(u64::from(wanted)) / 2;
        let scale = f64::from(side) / resized.max(1) as f64;
        Self {
            start: offset as f64 * scale,
            length: f64::from(wanted) * scale,
        }
        .within(side)
    }

    fn flipped_if(self, flip: bool, side: u32) -> Self {
        if !flip {
            return self;
        }
        Self {
            start: (f64::from(side) - self.start - self.length).max(0.0),
            ..self
        }
        .within(side)
    }

    /// Kept from leaving the axis by a rounding error.
    fn within(self, side: u32) -> Self {
        Self {
            length: self.length.min(f64::from(side) - self.start),
            ..self
        }
    }

    /// The first pixel of an axis of `side` that a resize of this span to
    /// `wanted` can touch, and how many there are, with one to spare.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and `as` saturates"
    )]
    fn used(self, side: u32, wanted: u32) -> (u32, u32) {
        let scale = (self.length / f64::from(wanted.max(1))).max(1.0);
        let reach = WIDEST_KERNEL * scale + 1.0;
        let first = (self.start - reach).floor().max(0.0) as u32;
        let last = (self.start + self.length + reach).ceil() as u32;
        let first = first.min(side.saturating_sub(1));
        (first, last.min(side) - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backbone, BackboneError};

    fn tiny() -> Result<Preprocessor, BackboneError> {
        let onnx: &[u8] = include_bytes!("../tests/data/tiny.onnx");
        Ok(Preprocessor::new(Backbone::from_onnx(onnx)?.card()))
    }

    fn drawn(width: u32, height: u32, channels: u8) -> Pixels {
        let bytes = width * height * u32::from(channels);
        let data = (0..bytes)
            .map(|at| (at.wrapping_mul(at) / 7 + at % 31).to_le_bytes()[0])
            .collect();
        Pixels {
            width,
            height,
            channels,
            data,
        }
    }

    #[test]
    fn turning_the_result_is_turning_the_image() -> Result<(), Box<dyn std::error::Error>> {
        let mut preprocessor = tiny()?;
        for (width, height, channels) in [(61, 40, 3), (40, 67, 1), (90, 90, 3), (5, 9, 1)] {
            for exif in 1..=8 {
                let orientation = Orientation::from_exif(exif).unwrap_or_default();
                let pixels = drawn(width, height, channels);
                let turned = preprocessor.tensor(&pixels, orientation)?.to_vec();
                let upright = pixels.upright(orientation);
                let plain = preprocessor.tensor(&upright, Orientation::UPRIGHT)?;
                let apart = std::iter::zip(&turned, plain).map(|(a, b)| (a - b).abs());
                // One level is 1 / 128.
                let most = apart.fold(0.0, f32::max) * 128.0;
                assert!(most < 1.5, "{width} x {height}, {exif}: {most} levels");
            }
        }
        Ok(())
    }

    #[test]
    fn thin_and_tiny_images() -> Result<(), Box<dyn std::error::Error>> {
        let mut preprocessor = tiny()?;
        for (width, height) in [(1, 1), (1, 3000), (3000, 1), (2, 65_535), (65_535, 3)] {
            let mut pixels = drawn(width, height, 1);
            pixels.data.fill(191);
            for exif in [1, 6] {
                let orientation = Orientation::from_exif(exif).unwrap_or_default();
                let tensor = preprocessor.tensor(&pixels, orientation)?;
                assert!(tensor.iter().all(|value| (value - 0.5).abs() < 1e-6));
            }
        }
        preprocessor.policy = ResizePolicy::Stretch;
        let stretched = preprocessor.tensor(&drawn(3000, 2, 3), Orientation::UPRIGHT)?;
        assert_eq!(stretched.len(), 3 * 32 * 32);
        let error = preprocessor.tensor(&drawn(1, 30_000_000, 1), Orientation::UPRIGHT);
        assert_eq!(error.err().map(|error| error.reason()), Some("unsupported"));
        Ok(())
    }
}
