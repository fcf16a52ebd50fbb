//! Decoded pixels: 8 bits a channel, grey or RGB, rows without padding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::orientation::Orientation;

/// What becomes of an alpha channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlphaPolicy {
    /// Forgotten; the colour under it stays, as Pillow's `convert("RGB")` does.
    #[default]
    Drop,
    /// The image is laid on white.
    White,
}

impl AlphaPolicy {
    /// `drop` or `white`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::White => "white",
        }
    }
}

impl fmt::Display for AlphaPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AlphaPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "drop" => Ok(Self::Drop),
            "white" => Ok(Self::White),
            _ => Err(format!("`{text}` is no alpha policy: drop, white")),
        }
    }
}

/// An image in memory: `height` rows of `width` pixels of `channels` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 (grey) or 3 (RGB).
    pub channels: u8,
    /// `width * height * channels` bytes, row by row.
    pub data: Vec<u8>,
}

impl Pixels {
    /// The image turned upright. Costs a copy unless it is upright already.
    #[must_use]
    pub fn upright(self, orientation: Orientation) -> Self {
        if orientation.exif() == 1 {
            return self;
        }
        let stored_width = as_index(self.width);
        let channels = usize::from(self.channels);
        let (width, height) = if orientation.swaps_axes() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        };
        let size = (as_index(width), as_index(height));
        let mut data = Vec::with_capacity(self.data.len());
        for y in 0..size.1 {
            for x in 0..size.0 {
                let (column, row) = orientation.stored((x, y), size);
                let at = (row * stored_width + column) * channels;
                data.extend_from_slice(self.data.get(at..at + channels).unwrap_or_default());
            }
        }
        Self {
            width,
            height,
            channels: self.channels,
            data,
        }
    }

    /// The image with three channels: grey is repeated.
    #[must_use]
    pub fn to_rgb(self) -> Self {
        if self.channels == 3 {
            return self;
        }
        let mut data = Vec::with_capacity(self.data.len() * 3);
        for grey in &self.data {
            data.extend_from_slice(&[*grey; 3]);
        }
        Self {
            channels: 3,
            data,
            ..self
        }
    }
}

/// A `u32` as an index; exact on every platform with 32 bits or more.
pub(crate) fn as_index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turned_and_widened() {
        let pixels = Pixels {
            width: 2,
            height: 1,
            channels: 1,
            data: vec![10, 20],
        };
        let turned = pixels.upright(Orientation::from_exif(8).unwrap_or_default());
        assert_eq!((turned.width, turned.height), (1, 2));
        assert_eq!(turned.data, [20, 10]);
        assert_eq!(turned.to_rgb().data, [20, 20, 20, 10, 10, 10]);
    }

    #[test]
    fn policies_by_name() {
        for policy in [AlphaPolicy::Drop, AlphaPolicy::White] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert_eq!(
            "blend".parse::<AlphaPolicy>(),
            Err("`blend` is no alpha policy: drop, white".to_owned())
        );
    }
}
