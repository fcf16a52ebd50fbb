//! The verb `predict`: labels for photos, wherever they are.

use serde::Serialize;
use sparkles_data::Stores;

use crate::featurize::{BackboneOutput, Photo};
use crate::scoring::{PhotoOutcome, ScoreSummary, Scorer};
use crate::{Error, FeaturizeOptions, Model, Progress};

/// What to predict.
#[derive(Debug, Clone)]
pub struct PredictRequest {
    /// Folders, files, globs, or text files with one location a line.
    pub images: Vec<String>,
}

/// The labels of one photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Where the photo lives.
    pub location: String,
    /// The sample's id, made as in the dataset that the model was trained on.
    pub sample_id: String,
    /// The label of the highest probability.
    pub prediction: String,
    /// Probability of each label, by label index.
    #[serde(serialize_with = "as_map")]
    pub probability: Vec<(String, f64)>,
}

fn as_map<S: serde::Serializer>(pairs: &[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(label, value)| (label, value)))
}

/// Predicts photos in order of location; `emit` gets each outcome as soon as its
/// turn has come, and stops it all by an error.
pub fn predict(
    stores: &Stores,
    model: &Model,
    request: &PredictRequest,
    options: &FeaturizeOptions,
    progress: &dyn Progress,
    emit: impl FnMut(PhotoOutcome<Prediction>) -> Result<(), Error>,
) -> Result<ScoreSummary, Error> {
    let options = FeaturizeOptions {
        alpha: model.pipeline.stages.featurizer.alpha,
        ..options.clone()
    };
    let scorer = Scorer {
        backbone: model.open_backbone(options.engine)?,
        output: BackboneOutput::Features,
        sample_id: &|candidate| model.sample_ids.of(candidate),
        score: &|photo: &Photo, features: &[f32]| {
            let probability = model.regression.probability(features)?;
            let index = model.regression.prediction(&probability);
            Ok(Prediction {
                location: photo.location.clone(),
                sample_id: photo.sample_id.clone(),
                prediction: model.indexer.label(index).unwrap_or_default().to_owned(),
                probability: model.labels().iter().cloned().zip(probability).collect(),
            })
        },
        doing: "predicting",
    };
    scorer.run(stores, &request.images, &options, progress, emit)
}
