//! Odd, broken and hostile files: no panic, and the outcome that was agreed.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::cell::Cell;
use std::fmt::Write;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sparkles_vision::{AlphaPolicy, ImageError, Pixels, decode, read_header};

/// What each file was found to be, and what Pillow makes of it:
/// `reference/vision/compare.py` wrote it.
const TABLE: &str = include_str!("data/odd-files.csv");

const ODD_FILES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/data/odd-files"
);

fn upright(bytes: &[u8]) -> Result<Pixels, ImageError> {
    let header = read_header(Cursor::new(bytes))?;
    let pixels = decode(bytes, &header, AlphaPolicy::Drop)?;
    assert_eq!(
        pixels.data.len() as u64,
        u64::from(pixels.width) * u64::from(pixels.height) * u64::from(pixels.channels)
    );
    assert!(header.decode_bytes() >= pixels.data.len() as u64);
    Ok(pixels.upright(header.orientation))
}

#[test]
fn odd_files_are_what_the_table_says() {
    if !Path::new(ODD_FILES).is_dir() {
        eprintln!("SKIPPED: no {ODD_FILES}");
        return;
    }
    let mut found = String::from("file,ours,pillow,size\n");
    for line in TABLE.lines().skip(1) {
        let mut fields = line.split(',');
        let (file, _ours) = (fields.next().unwrap(), fields.next());
        let pillow = fields.next().unwrap();
        let bytes = std::fs::read(Path::new(ODD_FILES).join(file)).unwrap();
        let begun = Instant::now();
        let outcome = upright(&bytes);
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{file} took too long"
        );
        let (ours, size) = match outcome {
            Ok(pixels) => ("ok", format!("{}x{}", pixels.width, pixels.height)),
            Err(error) => (error.reason(), String::new()),
        };
        writeln!(found, "{file},{ours},{pillow},{size}").unwrap();
    }
    for (found, kept) in found.lines().zip(TABLE.lines()) {
        assert_eq!(found, kept);
    }
    assert_eq!(TABLE.lines().count(), 185);
}

/// A reader that counts what is read from it.
struct Counting<'a> {
    inner: Cursor<&'a [u8]>,
    read: &'a Cell<usize>,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read);
        Ok(read)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_header_is_read_without_what_it_skips() {
    // 60 profile segments of 60,000 bytes before the frame header.
    let mut bytes = b"\xff\xd8".to_vec();
    for _ in 0..60 {
        bytes.extend(b"\xff\xe2");
        bytes.extend(60_002_u16.to_be_bytes());
        bytes.resize(bytes.len() + 60_000, 7);
    }
    bytes.extend(b"\xff\xc2\0\x11\x08\x0b\xb8\x0f\xa0\x03\x01\x22\0\x02\x11\0\x03\x11\0");
    bytes.extend(b"\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\0\0");
    let read = Cell::new(0);
    let counting = Counting {
        inner: Cursor::new(&bytes),
        read: &read,
    };
    let header = read_header(BufReader::with_capacity(256, counting)).unwrap();
    assert_eq!(header.to_string(), "jpeg, 4000 x 3000 pixels");
    assert!(read.get() < 20_000, "{} bytes read", read.get());
    // Progressive: three bytes a pixel, and 1.5 coefficients of two bytes.
    let pixels = 4000 * 3000;
    assert!((6 * pixels..7 * pixels).contains(&header.decode_bytes()));
    let error = decode(&bytes, &header, AlphaPolicy::Drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "truncated jpeg: no end of image after the last scan"
    );
}

/// Small files that decode, of each format.
fn seeds() -> Vec<Vec<u8>> {
    let bitmap = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x18\0\
        \0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \xff\0\0\0\xff\0\0\0\0\0\xff\xff\xff\xff\0\0";
    let mut seeds = vec![bitmap.to_vec()];
    for file in [
        "jpeg_odd/jpg-size-33x33.jpg",
        "jpeg_odd/partial_progressive.jpg",
        "jpeg_odd/jpg-cmyk-1.jpg",
        "jpeg_exif_rotated/hopper_orientation_8.jpg",
        "png_odd/basi6a08.png",
        "png_odd/tp1n3p08.png",
        "gif/missing_background.gif",
        "bmp/pal8rle.bmp",
        "tiff/16bit.cropped.tif",
        "tiff/tiff_strip_cmyk_jpeg.tif",
        "webp/lossy_alpha.webp",
        "webp/anim.webp",
    ] {
        seeds.extend(std::fs::read(Path::new(ODD_FILES).join(file)).ok());
    }
    if seeds.len() == 1 {
        eprintln!("SKIPPED: the seeds of {ODD_FILES}, only a bitmap is mutated");
    }
    seeds
}

/// Whatever the bytes are: an image or an error, soon.
fn is_survived(bytes: &[u8]) {
    let begun = Instant::now();
    // A mutated size may ask for much; what it asks is known beforehand.
    if let Ok(header) = read_header(Cursor::new(bytes))
        && header.decode_bytes() < 32 * 1024 * 1024
    {
        let _ = decode(bytes, &header, AlphaPolicy::White);
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), magic in 0..7_usize) {
        let magics: [&[u8]; 7] = [
            b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a",
            b"II*\0\x08\0\0\0", b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0", b"MM\0*\0\0\0\x08",
        ];
        let mut whole = magics[magic].to_vec();
        whole.extend(bytes);
        is_survived(&whole);
    }

    #[test]
    fn mutated_files(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        for mut bytes in seeds() {
            for (at, value) in &edits {
                // Half of the edits fall on the header.
                let range = if value % 2 == 0 { bytes.len().min(128) } else { bytes.len() };
                let at = at.index(range);
                bytes[at] = *value;
            }
            if shorten {
                bytes.truncate(cut.index(bytes.len()));
            }
            is_survived(&bytes);
        }
    }
}
