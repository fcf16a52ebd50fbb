//! Bytes as a safetensors file, and networks from what is in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sparkles_vision::{Architecture, Weights};

fuzz_target!(|bytes: &[u8]| {
    let Ok(weights) = Weights::from_safetensors(bytes) else {
        return;
    };
    // The first layer of each is small enough to be in a small file.
    for architecture in [
        Architecture::Vgg16,
        Architecture::InceptionV3,
        Architecture::EfficientNetLite1,
    ] {
        let built = architecture.build(&weights, "fuzz", "1");
        assert!(built.is_err(), "a small file holds no whole network");
    }
});
