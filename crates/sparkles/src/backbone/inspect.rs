//! What is in an ONNX file, and whether it still does what it did.

use serde::Serialize;
use sparkles_data::{DataError, Location, Stores};
use sparkles_vision::{
    Backbone, BackboneCard, CardError, Engine, Inspection, OnnxFile, SelfTest, Session,
};

use super::{backbone_file, open_backbone, read_backbone};
use crate::Error;

/// What is in an ONNX file.
#[derive(Debug, Clone, Serialize)]
pub struct InspectSummary {
    /// The file, or the name of the embedded backbone.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// The graph.
    #[serde(flatten)]
    pub inspection: Inspection,
    /// Bytes that the engine holds for the weights and one session on a batch of
    /// [`Inspection::batch`] images, by estimate; null where the file is no backbone
    /// yet.
    pub memory_bytes: Option<u64>,
    /// The card, if there is one.
    pub card: Option<BackboneCard>,
    /// What is wrong with the card, or with the file as a backbone.
    pub card_error: Option<String>,
}

/// Looks into a backbone by name, or into any ONNX file. The memory is that for
/// `batch` images at once.
pub fn inspect(stores: &Stores, name: &str, batch: usize) -> Result<InspectSummary, Error> {
    let (file, text) = read_file(stores, name)?;
    let length = match backbone_file(name)? {
        Some(location) => stores.version(&location)?.bytes,
        None => sparkles_lite0::ONNX.len() as u64,
    };
    let bytes = file.encode();
    let inspection = file.inspect(batch).map_err(|source| Error::Onnx {
        file: text.clone(),
        source,
    })?;
    let card = match BackboneCard::from_metadata(file.metadata()) {
        Ok(card) => Ok(Some(card)),
        Err(CardError::NoCard) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    drop(file);
    let backbone = match &card {
        Ok(Some(_)) => Some(Backbone::from_onnx(bytes)),
        _ => None,
    };
    let (memory_bytes, broken) = match backbone {
        Some(Ok(backbone)) => {
            let rest = Session::OWN_BYTES + backbone.weight_bytes();
            let memory = inspection
                .activation_bytes
                .map(|activations| activations.saturating_add(rest));
            (memory, None)
        }
        Some(Err(error)) => (None, Some(crate::error::chain(&error))),
        None => (None, None),
    };
    Ok(InspectSummary {
        file: text,
        bytes: length,
        inspection,
        memory_bytes,
        card_error: card.as_ref().err().cloned().or(broken),
        card: card.ok().flatten(),
    })
}

/// Whether a backbone still makes what it made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckSummary {
    /// The backbone's name.
    pub name: String,
    /// What ran it.
    pub engine: Engine,
    /// What the card says that it makes of the synthetic image.
    pub expected: SelfTest,
    /// What it makes of it here.
    pub found: SelfTest,
    /// The largest difference, relative to the norm.
    pub difference: f32,
    /// Whether that is rounding.
    pub agrees: bool,
}

/// Runs the self-test that a backbone carries, in `engine`.
pub fn check(stores: &Stores, name: &str, engine: Engine) -> Result<CheckSummary, Error> {
    let backbone = open_backbone(stores, name, engine)?;
    let Some(expected) = backbone.card().self_test.clone() else {
        return Err(Error::NoSelfTest {
            name: name.to_owned(),
        });
    };
    let found = SelfTest::run(&backbone).map_err(|source| Error::Backbone {
        name: name.to_owned(),
        source,
    })?;
    Ok(CheckSummary {
        name: super::backbone_name(&backbone),
        engine: backbone.engine(),
        difference: expected.difference(&found),
        agrees: expected.agrees(&found),
        expected,
        found,
    })
}

/// A backbone by name, or an ONNX file with the constants that lie in files beside
/// it; and what it is called.
pub(super) fn read_file(stores: &Stores, name: &str) -> Result<(OnnxFile, String), Error> {
    let Some(location) = backbone_file(name)? else {
        let bytes = bytes::Bytes::from_static(sparkles_lite0::ONNX);
        let file = OnnxFile::parse(bytes).map_err(|source| Error::Onnx {
            file: name.to_owned(),
            source,
        })?;
        return Ok((file, name.to_owned()));
    };
    let text = location.to_string();
    let wrap = |source| Error::Onnx {
        file: text.clone(),
        source,
    };
    let mut file = OnnxFile::parse(read_backbone(stores, name, &location)?).map_err(wrap)?;
    let folder = location.parent();
    file.read_external(|name| {
        let beside = folder.as_ref().map(|folder| folder.join(name));
        if let Some((folder, beside)) = folder.as_ref().zip(beside.as_ref())
            && leads_away(folder, beside)
        {
            return Err("it is a link to elsewhere".to_owned());
        }
        let read = beside.map(|beside| stores.read(&beside));
        match read {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(DataError::Missing { .. })) | None => Err("it does not exist".to_owned()),
            Some(Err(error)) => Err(crate::error::chain(&error)),
        }
    })
    .map_err(wrap)?;
    Ok((file, text))
}

/// Whether links on the way lead out of the folder.
fn leads_away(folder: &Location, file: &Location) -> bool {
    let real = |location: &Location| location.as_local()?.canonicalize().ok();
    match (real(folder), real(file)) {
        (Some(folder), Some(file)) => !file.starts_with(folder),
        _ => false,
    }
}
