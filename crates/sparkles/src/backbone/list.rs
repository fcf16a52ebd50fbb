//! The backbones at hand.

use serde::Serialize;
use sparkles_data::{Location, Stores};
use sparkles_vision::{Architecture, BackboneCard};

use super::inspect::read_file;
use super::{EMBEDDED, backbones_folder};
use crate::Error;

/// A backbone that can be asked for by name, or a file beside those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedBackbone {
    /// What to give to `--backbone`.
    pub name: String,
    /// `embedded`, `pulled`, `file` or `not pulled`.
    pub state: String,
    /// Length of a feature vector, where it is there.
    pub dimension: Option<usize>,
    /// Length of its file.
    pub bytes: Option<u64>,
    /// The licence of its weights.
    pub license: Option<String>,
    /// Where its weights come from.
    pub source: Option<String>,
    /// Why a file cannot be used.
    pub error: Option<String>,
}

/// Lists the embedded backbone, those that can be pulled, and other files in the
/// folder of pulled ones.
pub fn list(stores: &Stores) -> Result<Vec<ListedBackbone>, Error> {
    let folder = Location::local(backbones_folder()?)?;
    let mut listed = vec![open(stores, EMBEDDED, "embedded", None)];
    let files = stores.names(&folder)?;
    for architecture in Architecture::ALL {
        let file = format!("{architecture}.onnx");
        if files.contains(&file) {
            let location = folder.join(&file);
            listed.push(open(stores, architecture.name(), "pulled", Some(&location)));
        } else {
            listed.push(ListedBackbone {
                name: architecture.name().to_owned(),
                state: "not pulled".to_owned(),
                dimension: None,
                bytes: None,
                license: None,
                source: Some(architecture.repository().to_owned()),
                error: None,
            });
        }
    }
    for file in files {
        let stem = file.strip_suffix(".onnx");
        if stem.is_some_and(|stem| stem.parse::<Architecture>().is_err()) {
            let location = folder.join(&file);
            listed.push(open(stores, &location.to_string(), "file", Some(&location)));
        }
    }
    Ok(listed)
}

fn open(stores: &Stores, name: &str, state: &str, file: Option<&Location>) -> ListedBackbone {
    let bytes = match file {
        Some(file) => stores.version(file).ok().map(|version| version.bytes),
        None => Some(sparkles_lite0::ONNX.len() as u64),
    };
    // Its card says it all; loading it would take seconds and its whole memory.
    let card = match read_file(stores, name) {
        Ok((file, _)) => BackboneCard::from_metadata(file.metadata())
            .map_err(|error| crate::error::chain(&error)),
        Err(error) => Err(crate::error::chain(&error)),
    };
    let error = card.as_ref().err().cloned();
    let card = card.ok();
    ListedBackbone {
        name: name.to_owned(),
        state: state.to_owned(),
        dimension: card.as_ref().map(|card| card.feature_dimension),
        bytes,
        license: card.as_ref().map(|card| card.license.clone()),
        source: card.map(|card| card.source),
        error,
    }
}
