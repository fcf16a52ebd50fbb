//! From what a user names to a backbone.

use sparkles_data::{Location, Stores};
use sparkles_vision::Backbone;

use crate::Error;

/// Name of the backbone that needs no file.
pub const EMBEDDED: &str = sparkles_lite0::NAME;

/// Opens the embedded backbone by its name, or an ONNX file that carries a card.
pub fn open_backbone(stores: &Stores, name: &str) -> Result<Backbone, Error> {
    let wrap = |source| Error::Backbone {
        name: name.to_owned(),
        source,
    };
    if name == EMBEDDED {
        return Backbone::from_onnx(sparkles_lite0::ONNX).map_err(wrap);
    }
    let location = Location::parse(name)?;
    let is_file_like = std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
    let bytes = match stores.read(&location) {
        Ok(bytes) => bytes,
        Err(sparkles_data::DataError::Missing { .. }) if !is_file_like => {
            return Err(Error::UnknownBackbone {
                name: name.to_owned(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    Backbone::from_onnx(Vec::from(bytes)).map_err(wrap)
}

/// The name of a backbone as it is asked for: its card's, with underscores.
pub(crate) fn backbone_name(backbone: &Backbone) -> String {
    backbone.card().name.replace('-', "_")
}
