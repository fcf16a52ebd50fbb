//! Writes what this crate makes of images, for `reference/vision/compare.py`.
//!
//! ```text
//! ls photos/* | dump pixels|tensor|features|logits OUT [BACKBONE.onnx]
//! ```
//!
//! For the image on line N of the input, `OUT/N.bin` gets the upright RGB bytes
//! or the little-endian 32-bit floats, and stdout a line of tabs: path, `ok` or
//! reason, width, height, stored channels, decode bytes, message.

use std::error::Error;
use std::io::{BufRead, Cursor};
use std::path::Path;

use sparkles_vision::{AlphaPolicy, Backbone, Featurizer, ImageError, decode, read_header};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, out, backbone @ ..] = arguments.as_slice() else {
        return Err("usage: dump pixels|tensor|features|logits OUT [BACKBONE.onnx]".into());
    };
    let backbone = match backbone {
        [file, ..] => Backbone::from_onnx(std::fs::read(file)?)?,
        [] => Backbone::from_onnx(sparkles_lite0::ONNX)?,
    };
    let mut featurizer = Featurizer::new(&backbone, AlphaPolicy::Drop)?;
    std::fs::create_dir_all(out)?;
    for (line, path) in std::io::stdin().lock().lines().enumerate() {
        let path = path?;
        let bytes = std::fs::read(&path)?;
        let header = read_header(Cursor::new(&bytes));
        let made = header
            .as_ref()
            .map_err(|error| (error.reason(), error.to_string()))
            .and_then(|header| {
                make(kind, &mut featurizer, &bytes, header)
                    .map_err(|error| (error.reason(), error.to_string()))
            });
        let (status, message) = match &made {
            Ok(values) => {
                std::fs::write(Path::new(out).join(format!("{line}.bin")), values)?;
                ("ok", String::new())
            }
            Err((reason, message)) => (*reason, message.clone()),
        };
        let (width, height, channels, cost) = header.map_or((0, 0, 0, 0), |header| {
            let (width, height) = header.upright_size();
            (width, height, header.channels, header.decode_bytes())
        });
        println!("{path}\t{status}\t{width}\t{height}\t{channels}\t{cost}\t{message}");
    }
    Ok(())
}

fn make(
    kind: &str,
    featurizer: &mut Featurizer,
    bytes: &[u8],
    header: &sparkles_vision::ImageHeader,
) -> Result<Vec<u8>, ImageError> {
    let floats = |values: &[f32]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    match kind {
        "pixels" => {
            let pixels = decode(bytes, header, AlphaPolicy::Drop)?;
            Ok(pixels.upright(header.orientation).to_rgb().data)
        }
        "tensor" => featurizer.tensor(bytes, header).map(floats),
        "logits" => featurizer
            .logits(bytes, header)
            .map(|values| floats(&values)),
        _ => featurizer
            .features(bytes, header)
            .map(|values| floats(&values)),
    }
}
