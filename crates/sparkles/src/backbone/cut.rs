//! Any ONNX file becomes a backbone.

use sparkles_data::{Location, Stores};
use sparkles_vision::{CardSettings, Pooling};

use super::inspect::read_file;
use super::{PullSummary, write_with_card};
use crate::{Error, Progress};

/// What to cut where, and how images become its input.
#[derive(Debug, Clone)]
pub struct CutRequest {
    /// A backbone by name, or an ONNX file.
    pub file: String,
    /// The value to cut at; none for what the classifier reads.
    pub output: Option<String>,
    /// How maps become a vector.
    pub pooling: Pooling,
    /// How images become the input; what is not said is what the file's own card
    /// says.
    pub card: CardSettings,
    /// What the classes of the network's own classifier are called: a text file, one
    /// name a line, by class index.
    pub classes: Option<Location>,
    /// The file to write; nothing may be there yet.
    pub out: Location,
}

/// Keeps what makes the features (and, if there is one, the classifier as a second
/// output), pools maps to a vector, and writes the card into the file.
pub fn cut(
    stores: &Stores,
    request: &CutRequest,
    progress: &dyn Progress,
) -> Result<PullSummary, Error> {
    let started = std::time::Instant::now();
    if stores.version(&request.out).is_ok() {
        return Err(Error::OutputExists {
            location: request.out.to_string(),
        });
    }
    progress.begin("cutting", 0);
    let (file, text) = read_file(stores, &request.file)?;
    let stem = Location::parse(&text)?.file_stem();
    let mut card = request.card.clone();
    if let Some(classes) = &request.classes {
        card.class_names = Some(read_names(stores, classes)?);
    }
    let (file, card) = file
        .into_backbone(request.output.as_deref(), request.pooling, &card, &stem)
        .map_err(|source| Error::Onnx { file: text, source })?;
    let (backbone, bytes) = write_with_card(stores, &request.out, file, card)?;
    progress.finish();
    Ok(PullSummary {
        name: backbone.card().name.clone(),
        file: request.out.to_string(),
        bytes,
        weights_sha256: backbone.card().weights_sha256.clone(),
        dimension: backbone.dimension(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The lines of a text file.
fn read_names(stores: &Stores, location: &Location) -> Result<Vec<String>, Error> {
    let bytes = stores.read(location)?;
    let wrong = || Error::ClassNames {
        location: location.to_string(),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) || names.is_empty() {
        return Err(wrong());
    }
    Ok(names)
}
