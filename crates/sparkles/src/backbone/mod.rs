//! The verb `backbone`: from a name to a network, and files that carry a card.

mod cut;
mod hub;
mod inspect;
mod list;
mod pull;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sparkles_data::{DataError, Location, Stores};
use sparkles_vision::{Architecture, Backbone, BackboneCard, Engine, OnnxFile, SelfTest};

use crate::Error;

pub use cut::{CutRequest, cut};
pub use hub::HubError;
pub use inspect::{CheckSummary, InspectSummary, check, inspect};
pub use list::{ListedBackbone, list};
pub use pull::{PullRequest, PullSummary, WeightSource, pull};

/// Name of the backbone that needs no file.
pub const EMBEDDED: &str = sparkles_lite0::NAME;

/// Where the file of a backbone is; `None` for the embedded one.
pub(crate) fn backbone_file(name: &str) -> Result<Option<Location>, Error> {
    if name == EMBEDDED {
        return Ok(None);
    }
    let is_file = Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
    if is_file {
        return Ok(Some(Location::parse(name)?));
    }
    let Ok(architecture) = name.parse::<Architecture>() else {
        return Err(Error::UnknownBackbone {
            name: name.to_owned(),
        });
    };
    pulled_file(architecture).map(Some)
}

/// Opens the embedded backbone or a pulled one by its name, or an ONNX file that
/// carries a card, to be run by `engine`.
pub fn open_backbone(stores: &Stores, name: &str, engine: Engine) -> Result<Backbone, Error> {
    let wrap = |source| Error::Backbone {
        name: name.to_owned(),
        source,
    };
    let Some(location) = backbone_file(name)? else {
        return Backbone::with_engine(sparkles_lite0::ONNX, engine).map_err(wrap);
    };
    let bytes = read_backbone(stores, name, &location)?;
    Backbone::with_engine(Vec::from(bytes), engine).map_err(wrap)
}

/// The bytes of a backbone's file.
fn read_backbone(stores: &Stores, name: &str, location: &Location) -> Result<Bytes, Error> {
    match stores.read(location) {
        Err(DataError::Missing { .. }) if name.parse::<Architecture>().is_ok() => {
            Err(Error::NotPulled {
                name: name.to_owned(),
            })
        }
        bytes => Ok(bytes?),
    }
}

/// The name of a backbone as it is asked for: its card's, with underscores.
pub(crate) fn backbone_name(backbone: &Backbone) -> String {
    backbone.card().name.replace('-', "_")
}

/// The folder of pulled backbones: `SPARKLES_HOME/backbones`, where that variable
/// is set, or else in the user's cache folder.
pub fn backbones_folder() -> Result<PathBuf, Error> {
    let home = match std::env::var_os("SPARKLES_HOME") {
        Some(home) => PathBuf::from(home),
        None => directories::ProjectDirs::from("", "", "sparkles")
            .map(|folders| folders.cache_dir().to_owned())
            .ok_or(Error::NoHome)?,
    };
    Ok(home.join("backbones"))
}

fn pulled_file(architecture: Architecture) -> Result<Location, Error> {
    let file = backbones_folder()?.join(format!("{architecture}.onnx"));
    Ok(Location::local(file)?)
}

/// Gives a file its card, with a self-test that was run just now, and writes it
/// where nothing is in the way.
fn write_with_card(
    stores: &Stores,
    out: &Location,
    mut file: OnnxFile,
    mut card: BackboneCard,
) -> Result<(Backbone, u64), Error> {
    let name = card.name.clone();
    let wrap = |source| Error::Backbone {
        name: name.clone(),
        source,
    };
    card.self_test = None;
    file.set_card(&card);
    let untested = Backbone::from_onnx(file.encode()).map_err(wrap)?;
    let self_test = SelfTest::run(&untested).map_err(wrap)?;
    drop(untested);
    card.self_test = Some(self_test);
    file.set_card(&card);
    let bytes = Bytes::from(file.encode());
    drop(file);
    // What is written can be read.
    let backbone = Backbone::from_onnx(bytes.to_vec()).map_err(wrap)?;
    stores.put_new(out, bytes.clone())?;
    Ok((backbone, bytes.len() as u64))
}
