//! Bytes as an ONNX file: read, inspected, cut, loaded, and run where that is quick.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sparkles_vision::{Backbone, CardSettings, OnnxFile, Pooling, Preset};

/// What is run takes no more memory and no more multiplications than this.
const MOST_BYTES: u64 = 64 << 20;
const MOST_MULTIPLY_ADDS: u64 = 1 << 26;

fuzz_target!(
    init: {
        // A panic of the engine's that becomes an error is no find.
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !sparkles_vision::is_guarded() {
                report(panic);
            }
        }));
    },
    |bytes: &[u8]| { attempt(bytes); }
);

fn attempt(bytes: &[u8]) {
    let Ok(file) = OnnxFile::parse(bytes.to_vec().into()) else {
        return;
    };
    let Ok(inspection) = file.inspect(2) else {
        return;
    };
    let settings = CardSettings {
        preset: Some(Preset::Torchvision),
        ..CardSettings::default()
    };
    if let Ok((mut cut, card)) = file.into_backbone(None, Pooling::Mean, &settings, "fuzz") {
        cut.set_card(&card);
        run(cut.encode(), inspection.multiply_adds);
    }
    run(bytes.to_vec(), inspection.multiply_adds);
}

/// Loads a backbone and runs it once on zeros.
fn run(bytes: Vec<u8>, multiply_adds: Option<u64>) {
    let Ok(backbone) = Backbone::from_onnx(bytes) else {
        return;
    };
    let Ok(mut session) = backbone.session() else {
        return;
    };
    if session.memory_bytes() > MOST_BYTES || multiply_adds.is_none_or(|n| n > MOST_MULTIPLY_ADDS) {
        return;
    }
    let card = backbone.card();
    let values = 3 * card.height as usize * card.width as usize;
    let _ = session.features(&vec![0.0; values]);
    let _ = session.logits(&vec![0.0; values]);
}
