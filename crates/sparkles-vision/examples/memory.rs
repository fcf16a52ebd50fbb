//! Memory of a session's run, measured and estimated (Linux).
//!
//! ```text
//! memory ARCHITECTURE|BACKBONE.onnx
//! ```
//!
//! The process's high-water mark is reset once the backbone is loaded, so that what
//! is printed is the growth by three runs on one tensor.

use std::error::Error;

use sparkles_vision::{Architecture, Backbone, Weights};

/// Bytes of an entry of `/proc/self/status`.
fn status(key: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with(key));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no such entry")?.parse::<u64>()? * 1024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1);
    let name = name.ok_or("usage: memory ARCHITECTURE|BACKBONE.onnx")?;
    let bytes = match name.parse::<Architecture>() {
        Ok(architecture) => {
            let (file, _) = architecture.build(&Weights::random(1), "random", "1")?;
            file.encode()
        }
        Err(_) => std::fs::read(&name)?,
    };
    let backbone = Backbone::from_onnx(bytes)?;
    let card = backbone.card();
    let values = usize::try_from(u64::from(card.height) * u64::from(card.width) * 3)?;
    let tensor = vec![0.5f32; values];
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS")?;
    let mut session = backbone.session()?;
    for _ in 0..3 {
        session.features(&tensor)?;
    }
    let grown = status("VmHWM")?.saturating_sub(before);
    let estimate = session.memory_bytes();
    println!(
        "{name}\tmeasured {:.1} MB\testimate {:.1} MB\tratio {:.2}\tweights {:.1} MB",
        grown as f64 / 1e6,
        estimate as f64 / 1e6,
        estimate as f64 / grown as f64,
        backbone.weight_bytes() as f64 / 1e6,
    );
    Ok(())
}
