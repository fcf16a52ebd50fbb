//! tmp
#![allow(clippy::unwrap_used)]
use sparkles_vision::*;
fn main() {
    for a in [Architecture::ResNet50, Architecture::Vgg16, Architecture::InceptionV3] {
        let (f, _) = a.build(&Weights::random(3), "r", "3").unwrap();
        std::fs::write(format!("/tmp/ov/{a}.onnx"), f.encode()).unwrap();
    }
}
