//! Processor time per photo of all that happens before the engine: header,
//! decode, resize, tensor.
//!
//! ```text
//! SPARKLES_PHOTOS=folder cargo bench -p sparkles-vision --bench decode
//! python reference/vision/pillow_bench.py folder
//! ```
//!
//! The second does the same with Pillow. Without the variable, 50 drawn bitmaps
//! of 640 x 480 stand in, which says something of the resize alone. Set
//! `SPARKLES_PHOTOS_ROUNDS` for more than three rounds; the best one counts.

use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sparkles_vision::{AlphaPolicy, Backbone, Featurizer, ImageError, read_header};

fn main() -> Result<(), Box<dyn Error>> {
    let photos = match std::env::var_os("SPARKLES_PHOTOS") {
        Some(folder) => read_photos(Path::new(&folder))?,
        None => (0..50).map(drawn).collect(),
    };
    let rounds = std::env::var("SPARKLES_PHOTOS_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let backbone = Backbone::from_onnx(sparkles_lite0::ONNX)?;
    let mut featurizer = Featurizer::new(&backbone, AlphaPolicy::Drop)?;
    let mut best = Duration::MAX;
    let mut refused = 0;
    let clock = Clock::new();
    for _ in 0..rounds {
        refused = 0;
        let begun = clock.now();
        for photo in &photos {
            refused += usize::from(tensor(&mut featurizer, photo).is_err());
        }
        best = best.min(clock.now().saturating_sub(begun));
    }
    let bytes: usize = photos.iter().map(Vec::len).sum();
    println!(
        "{} photos, {} KB each, {refused} refused: {:.3} ms a photo, {}",
        photos.len(),
        bytes / photos.len().max(1) / 1000,
        best.as_secs_f64() * 1000.0 / photos.len().max(1) as f64,
        if clock.processor {
            "processor time"
        } else {
            "wall time"
        }
    );
    Ok(())
}

/// Time that this thread was on a processor, where the system says it in
/// `/proc`; else time that passed.
struct Clock {
    begun: Instant,
    processor: bool,
}

impl Clock {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            processor: Self::on_processor().is_some(),
        }
    }

    fn now(&self) -> Duration {
        Self::on_processor().unwrap_or_else(|| self.begun.elapsed())
    }

    fn on_processor() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let nanoseconds = text.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    }
}

fn tensor(featurizer: &mut Featurizer, photo: &[u8]) -> Result<f32, ImageError> {
    let header = read_header(Cursor::new(photo))?;
    let tensor = featurizer.tensor(photo, &header)?;
    Ok(std::hint::black_box(tensor).first().copied().unwrap_or(0.0))
}

/// The files of a folder, in the order of their names, held in memory.
fn read_photos(folder: &Path) -> Result<Vec<Vec<u8>>, std::io::Error> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    paths
        .iter()
        .filter(|path| path.is_file())
        .map(std::fs::read)
        .collect()
}

/// A 24-bit bitmap of 640 x 480 pixels.
fn drawn(seed: u32) -> Vec<u8> {
    let (width, height) = (640_u32, 480_u32);
    let mut bytes = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend(b"\x01\0\x18\0");
    bytes.extend([0; 24]);
    for y in 0..height {
        for x in 0..width {
            let [a, b, c, _] = (x * y + seed * 77_777 + x * 13).to_le_bytes();
            bytes.extend([a, b, c]);
        }
    }
    bytes
}
