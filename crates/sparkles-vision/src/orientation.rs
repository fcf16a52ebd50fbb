//! The eight EXIF orientations: how a stored frame is turned upright.

use std::fmt;

/// How the stored frame must be turned to stand upright: EXIF tag 274.
///
/// The numbers are EXIF's. 1 is upright already; 2 mirrored left to right;
/// 3 turned by 180°; 4 mirrored top to bottom; 5 transposed; 6 needs 90°
/// clockwise; 7 transverse; 8 needs 90° anticlockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Orientation(u8);

impl Default for Orientation {
    fn default() -> Self {
        Self::UPRIGHT
    }
}

impl Orientation {
    /// The stored frame is upright.
    pub const UPRIGHT: Self = Self(1);

    /// The orientation of an EXIF number; `None` outside 1..=8.
    pub fn from_exif(value: u16) -> Option<Self> {
        match u8::try_from(value) {
            Ok(value @ 1..=8) => Some(Self(value)),
            _ => None,
        }
    }

    /// EXIF's number, 1..=8.
    pub fn exif(self) -> u8 {
        self.0
    }

    /// Whether width and height change places.
    pub fn swaps_axes(self) -> bool {
        self.0 >= 5
    }

    /// Whether the upright image's columns run against the stored axis that
    /// they come from.
    pub(crate) fn flips_columns(self) -> bool {
        matches!(self.0, 2 | 3 | 6 | 7)
    }

    /// Whether the upright image's rows run against the stored axis that they
    /// come from.
    pub(crate) fn flips_rows(self) -> bool {
        matches!(self.0, 3 | 4 | 7 | 8)
    }

    /// The stored `(column, row)` of the upright `(x, y)`, for an upright image
    /// of `width` x `height`.
    pub(crate) fn stored(
        self,
        (x, y): (usize, usize),
        (width, height): (usize, usize),
    ) -> (usize, usize) {
        let x = if self.flips_columns() {
            width - 1 - x
        } else {
            x
        };
        let y = if self.flips_rows() { height - 1 - y } else { y };
        if self.swaps_axes() { (y, x) } else { (x, y) }
    }
}

impl fmt::Display for Orientation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.exif())
    }
}

/// The orientation in a TIFF structure, as EXIF is: byte order, offset of the
/// first directory, its entries. Anything odd means upright, as in Pillow.
pub(crate) fn orientation_in_exif(exif: &[u8]) -> Orientation {
    find(exif).unwrap_or(Orientation::UPRIGHT)
}

fn find(exif: &[u8]) -> Option<Orientation> {
    let big = match exif.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let u16_at = |at: usize| -> Option<u16> {
        let bytes: [u8; 2] = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    let offset: [u8; 4] = exif.get(4..8)?.try_into().ok()?;
    let offset = if big {
        u32::from_be_bytes(offset)
    } else {
        u32::from_le_bytes(offset)
    };
    let directory = usize::try_from(offset).ok()?;
    let entries = usize::from(u16_at(directory)?);
    (0..entries).find_map(|entry| {
        let at = directory.checked_add(2 + 12 * entry)?;
        if u16_at(at)? != 274 {
            return None;
        }
        // Type 3 is SHORT: the value stands in the entry itself.
        if u16_at(at + 2)? != 3 {
            return None;
        }
        Orientation::from_exif(u16_at(at + 8)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 3 x 2 stored frame, as `a b c / d e f`, upright.
    #[test]
    fn upright_frames() {
        let stored = [["a", "b", "c"], ["d", "e", "f"]];
        for (exif, expected) in [
            (1, "abc def"),
            (2, "cba fed"),
            (3, "fed cba"),
            (4, "def abc"),
            (5, "ad be cf"),
            (6, "da eb fc"),
            (7, "fc eb da"),
            (8, "cf be ad"),
        ] {
            let orientation = Orientation(exif);
            let (width, height) = if orientation.swaps_axes() {
                (2, 3)
            } else {
                (3, 2)
            };
            let rows: Vec<String> = (0..height)
                .map(|y| {
                    (0..width)
                        .map(|x| {
                            let (column, row) = orientation.stored((x, y), (width, height));
                            stored[row][column]
                        })
                        .collect()
                })
                .collect();
            assert_eq!(rows.join(" "), expected, "orientation {exif}");
        }
    }

    #[test]
    fn exif_in_both_byte_orders_and_odd() {
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0";
        assert_eq!(orientation_in_exif(little).exif(), 6);
        assert_eq!(orientation_in_exif(big).exif(), 8);
        for length in 0..little.len() {
            // Cut anywhere: upright or the true value, never a panic.
            let exif = orientation_in_exif(&little[..length]).exif();
            assert!(exif == 1 || exif == 6);
        }
        assert_eq!(Orientation::from_exif(0), None);
        assert_eq!(Orientation::from_exif(9), None);
        assert_eq!(Orientation::default().exif(), 1);
    }
}
