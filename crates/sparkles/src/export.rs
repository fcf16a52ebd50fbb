//! The verb `model export`: a model as one file for other programs.

use bytes::Bytes;
use serde::Serialize;
use sparkles_data::{Location, Stores};
use sparkles_learn::Family;
use sparkles_vision::{Engine, LinearClassifier, OnnxFile};

use crate::{Error, Model};

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct ExportSummary {
    /// The file.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Name of the backbone in it.
    pub backbone: String,
    /// The input: prepared images, its axes as the card says.
    pub input: String,
    /// The output of images × labels: the probability of each label.
    pub probability: String,
    /// The output of images: the index of the most probable label.
    pub prediction: String,
    /// The output of images × features.
    pub features: String,
    /// The labels, by label index.
    pub labels: Vec<String>,
}

/// Writes a model as one ONNX file: backbone, coefficients (which are those of the
/// features as they are, so that no scaler is needed) and softmax; its metadata hold
/// the backbone's card, which says how images are prepared, and the labels.
pub fn export(stores: &Stores, model: &Model, out: &Location) -> Result<ExportSummary, Error> {
    if stores.version(out).is_ok() {
        return Err(Error::OutputExists {
            location: out.to_string(),
        });
    }
    let backbone = model.open_backbone(Engine::default())?;
    let name = model.pipeline.stages.featurizer.backbone.clone();
    let wrap = |source| Error::Onnx {
        file: name.clone(),
        source,
    };
    let classifier = classifier(model);
    let (file, outputs) = OnnxFile::parse(model.backbone_bytes())
        .and_then(|file| file.with_classifier(&classifier))
        .map_err(wrap)?;
    let bytes = Bytes::from(file.encode());
    let length = bytes.len() as u64;
    stores.put_new(out, bytes)?;
    Ok(ExportSummary {
        file: out.to_string(),
        bytes: length,
        backbone: name,
        input: backbone.card().input.clone(),
        probability: outputs.probability,
        prediction: outputs.prediction,
        features: outputs.features,
        labels: classifier.labels,
    })
}

/// One row a label. A binomial model has one row for its second label; that of the
/// first is then zero, as softmax(0, z) = (1 - σ(z), σ(z)).
fn classifier(model: &Model) -> LinearClassifier {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "features and their products are 32-bit floats there"
    )]
    let narrow = |values: &[f64]| {
        values
            .iter()
            .map(|value| *value as f32)
            .collect::<Vec<f32>>()
    };
    let regression = &model.regression;
    let mut coefficients = narrow(regression.coefficients());
    let mut intercepts = narrow(regression.intercepts());
    if regression.family() == Family::Binomial {
        coefficients.splice(0..0, std::iter::repeat_n(0.0, regression.columns()));
        intercepts.insert(0, 0.0);
    }
    LinearClassifier {
        coefficients,
        intercepts,
        labels: model.labels().to_vec(),
    }
}
