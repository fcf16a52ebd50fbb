//! From a row of `images` to its pixels.

use std::io::Cursor;

use bytes::Bytes;
use sparkles_data::{Location, Stores};
use sparkles_vision::{AlphaPolicy, ImageHeader, Pixels, decode, read_header};

/// The most bytes of pixels in one batch, unless one photo alone has more.
pub(crate) const BATCH_BYTES: u64 = 64 << 20;

/// Fetches and decodes one photo at a time.
#[derive(Debug, Clone)]
pub(crate) struct PhotoReader {
    pub(crate) stores: Stores,
    pub(crate) memory_bytes: u64,
    pub(crate) alpha: AlphaPolicy,
}

/// The size that a row of `images` promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) channels: u8,
}

impl Shape {
    /// Bytes of the pixels.
    pub(crate) fn bytes(self) -> u64 {
        u64::from(self.height)
            .saturating_mul(u64::from(self.width))
            .saturating_mul(u64::from(self.channels))
    }
}

impl PhotoReader {
    /// The most bytes of pixels in one batch: some six of them are on their way
    /// through a plan at a time.
    pub(crate) fn batch_bytes(&self) -> u64 {
        BATCH_BYTES.min(self.memory_bytes / 16)
    }

    /// The bytes and the header of a photo that can be decoded in the memory allowed;
    /// `None` where there is none.
    ///
    /// Waits for the object store, so not to be called from an asynchronous task.
    pub(crate) fn open(&self, location: &str) -> Option<(Bytes, ImageHeader)> {
        let location = Location::parse(location).ok()?;
        let fetch = self.stores.fetch(&location, self.memory_bytes);
        let (bytes, version) = self.stores.wait(fetch).ok()?;
        if (bytes.len() as u64) < version.bytes {
            return None;
        }
        let header = read_header(Cursor::new(&bytes)).ok()?;
        (header.decode_bytes() <= self.memory_bytes).then_some((bytes, header))
    }

    /// The photo's rows of pixels, upright, BGR or grey; `None` where it cannot
    /// be decoded in the memory allowed, or is of another size than `shape`
    /// because it changed after it was ingested.
    ///
    /// Waits for the object store, so not to be called from an asynchronous task.
    pub(crate) fn pixels(&self, location: &str, shape: Shape) -> Option<Vec<u8>> {
        let (bytes, header) = self.open(location)?;
        let pixels = decode(&bytes, &header, self.alpha).ok()?;
        drop(bytes);
        let mut pixels = pixels.upright(header.orientation);
        if shape.channels == 3 {
            pixels = pixels.to_rgb();
        }
        let Pixels {
            width,
            height,
            channels,
            mut data,
        } = pixels;
        let found = Shape {
            height,
            width,
            channels,
        };
        if found != shape || data.len() as u64 != shape.bytes() {
            return None;
        }
        if channels == 3 {
            for pixel in data.chunks_exact_mut(3) {
                pixel.swap(0, 2);
            }
        }
        Some(data)
    }
}
