//! A trained pipeline on disk: written once, loaded anywhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sparkles_data::{DataError, Location, Stores};
use sparkles_learn::{
    Family, FitSummary, LogisticRegression, LogisticRegressionModel, SplitRatio, StringIndexerModel,
};
use sparkles_vision::{AlphaPolicy, Backbone};

use crate::backbone::backbone_name;
use crate::ingest::SampleIds;
use crate::{EMBEDDED, Error, EvaluateSummary, LabelSelection, SelectedLabel};

const PIPELINE: &str = "pipeline.json";
const WEIGHTS: &str = "weights.safetensors";
const BACKBONE: &str = "backbone.onnx";
const CARD: &str = "README.md";
/// The newest layout of a model that this version reads and writes.
const FORMAT_VERSION: u32 = 1;

/// `pipeline.json`: the fitted stages in order, and what they were fitted on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedPipeline {
    /// Version of the directory's layout.
    pub format_version: u32,
    /// Version of sparkles that wrote it.
    pub library: String,
    /// The stages: string indexer, featurizer, logistic regression.
    pub stages: Stages,
    /// What the model was trained on.
    pub training: Training,
    /// How good it is on the rows that were held back, if there were any.
    pub metrics: Option<EvaluateSummary>,
}

/// What can be read of a pipeline of any version.
#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

/// The fitted stages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stages {
    /// Label to label index.
    pub string_indexer: IndexerStage,
    /// Image to feature vector.
    pub featurizer: FeaturizerStage,
    /// Feature vector to probabilities.
    pub logistic_regression: RegressionStage,
}

/// The fitted string indexer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IndexerStage {
    /// The labels; a label's position is its index.
    pub labels: Vec<String>,
    /// The label that areas under curves are about, with two labels.
    pub positive_label: Option<String>,
}

/// The backbone and how photos get to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FeaturizerStage {
    /// Name of the backbone.
    pub backbone: String,
    /// blake3 of its file.
    pub backbone_hash: String,
    /// Its file in the model; null for the embedded one.
    pub file: Option<String>,
    /// What names its features.
    pub feature_key: String,
    /// Length of a feature vector.
    pub dimension: usize,
    /// What becomes of transparent pixels.
    pub alpha: AlphaPolicy,
    /// How sample ids are made from locations.
    pub sample_ids: String,
}

/// The fitted logistic regression; its numbers are in `weights.safetensors`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegressionStage {
    /// The settings.
    pub params: LogisticRegression,
    /// Binomial or multinomial.
    pub family: Family,
    /// File of coefficients and intercepts.
    pub file: String,
    /// How the fit went.
    pub fit: FitSummary,
}

/// What the model was trained on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Training {
    /// Id of the dataset.
    pub dataset_id: String,
    /// Where the dataset was.
    pub dataset: String,
    /// The labels that were asked for.
    pub selection: LabelSelection,
    /// The classes behind the labels, as the dataset named them.
    pub classes: Vec<SelectedLabel>,
    /// Shares of the parts.
    pub split: SplitRatio,
    /// Seed of the split.
    pub seed: u64,
    /// Rows that were learned from.
    pub rows: u64,
    /// The same by label.
    pub label_counts: BTreeMap<String, u64>,
    /// Samples that were left out, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// A model, ready to predict.
#[derive(Debug, Clone)]
pub struct Model {
    /// Stages and training.
    pub pipeline: SavedPipeline,
    pub(crate) indexer: StringIndexerModel,
    pub(crate) regression: LogisticRegressionModel,
    pub(crate) sample_ids: SampleIds,
    backbone: ModelBackbone,
}

#[derive(Debug, Clone)]
enum ModelBackbone {
    Embedded,
    File(Arc<[u8]>),
}

impl Model {
    /// Loads a model; its dataset is not needed.
    pub fn load(stores: &Stores, root: &Location) -> Result<Self, Error> {
        let location = root.join(PIPELINE);
        let text = match stores.read(&location) {
            Ok(text) => text,
            Err(DataError::Missing { .. }) => {
                let location = root.to_string();
                return Err(match root.as_local() {
                    Some(path) if !path.exists() => DataError::Missing { location }.into(),
                    _ => Error::NotAModel { location },
                });
            }
            Err(error) => return Err(error.into()),
        };
        let corrupt = |file: &str, reason: String| Error::CorruptModel {
            location: root.join(file).to_string(),
            reason,
        };
        let versioned: Versioned =
            serde_json::from_slice(&text).map_err(|error| corrupt(PIPELINE, error.to_string()))?;
        if versioned.format_version > FORMAT_VERSION {
            return Err(Error::NewerModel {
                location: root.to_string(),
                found: versioned.format_version,
                supported: FORMAT_VERSION,
            });
        }
        let pipeline: SavedPipeline =
            serde_json::from_slice(&text).map_err(|error| corrupt(PIPELINE, error.to_string()))?;
        let stages = &pipeline.stages;
        let indexer = StringIndexerModel::from_labels(stages.string_indexer.labels.clone())
            .map_err(|error| corrupt(PIPELINE, error.to_string()))?;
        let weights_file = &stages.logistic_regression.file;
        let (coefficients, intercepts) = decode_weights(&stores.read(&root.join(weights_file))?)
            .map_err(|reason| corrupt(weights_file, reason))?;
        let regression = LogisticRegressionModel::from_parts(
            stages.logistic_regression.family,
            indexer.labels().len(),
            stages.featurizer.dimension,
            coefficients,
            intercepts,
        )
        .map_err(|error| corrupt(weights_file, error.to_string()))?;
        let backbone = match &stages.featurizer.file {
            None => ModelBackbone::Embedded,
            Some(file) => {
                let bytes = stores.read(&root.join(file))?;
                if blake3::hash(&bytes).to_hex().as_str() != stages.featurizer.backbone_hash {
                    let reason = "it is not the file that the model was trained with";
                    return Err(corrupt(file, reason.to_owned()));
                }
                ModelBackbone::File(bytes.as_ref().into())
            }
        };
        let sample_ids = SampleIds::parse(&stages.featurizer.sample_ids)
            .ok_or_else(|| corrupt(PIPELINE, "`sample_ids` cannot be read".to_owned()))?;
        Ok(Self {
            pipeline,
            indexer,
            regression,
            sample_ids,
            backbone,
        })
    }

    /// A model that was fitted just now, with a backbone opened by `name`.
    pub(crate) fn new(
        pipeline: SavedPipeline,
        indexer: StringIndexerModel,
        regression: LogisticRegressionModel,
        stores: &Stores,
        name: &str,
    ) -> Result<Self, Error> {
        let stage = &pipeline.stages.featurizer;
        let sample_ids = SampleIds::parse(&stage.sample_ids).unwrap_or(SampleIds::Path);
        let backbone = if stage.file.is_none() {
            ModelBackbone::Embedded
        } else {
            let bytes = stores.read(&Location::parse(name)?)?;
            ModelBackbone::File(bytes.as_ref().into())
        };
        Ok(Self {
            pipeline,
            indexer,
            regression,
            sample_ids,
            backbone,
        })
    }

    /// The labels; a label's position is its index.
    pub fn labels(&self) -> &[String] {
        self.indexer.labels()
    }

    /// The backbone that the model was trained with.
    pub fn open_backbone(&self) -> Result<Backbone, Error> {
        let stage = &self.pipeline.stages.featurizer;
        let wrap = |source| Error::Backbone {
            name: stage.backbone.clone(),
            source,
        };
        let backbone = match &self.backbone {
            ModelBackbone::Embedded => Backbone::from_onnx(sparkles_lite0::ONNX),
            ModelBackbone::File(bytes) => Backbone::from_onnx(bytes.to_vec()),
        }
        .map_err(wrap)?;
        let key = backbone.feature_key(stage.alpha);
        if key != stage.feature_key {
            return Err(Error::OtherFeatures {
                expected: stage.feature_key.clone(),
                found: key,
                backbone: stage.backbone.clone(),
            });
        }
        Ok(backbone)
    }
}

/// Refuses a place for a model where something is.
pub fn check_free(stores: &Stores, root: &Location) -> Result<(), Error> {
    stores.check_folder(root)?;
    let written = [WEIGHTS, BACKBONE, CARD];
    let names = stores.names(root)?;
    let foreign = names.iter().any(|name| !written.contains(&name.as_str()));
    // What an interrupted training leaves begins with the weights.
    let taken = foreign || !names.is_empty() && !names.iter().any(|name| name == WEIGHTS);
    if taken {
        return Err(Error::ModelExists {
            location: root.to_string(),
        });
    }
    Ok(())
}

/// Writes a model; it exists once `pipeline.json` does, which comes last. After
/// an error nothing is left behind.
pub(crate) fn save(
    stores: &Stores,
    root: &Location,
    model: &Model,
    card: String,
) -> Result<(), Error> {
    check_free(stores, root)?;
    let found_folder = root.as_local().is_some_and(std::path::Path::is_dir);
    let written = write_files(stores, root, model, card);
    if written.is_err() {
        // What stood in the way of the whole is no reason to leave a half.
        for file in [WEIGHTS, BACKBONE, CARD] {
            let _ = stores.delete(&root.join(file));
        }
        if !found_folder {
            stores.remove_empty_folder(root);
        }
    }
    written
}

fn write_files(stores: &Stores, root: &Location, model: &Model, card: String) -> Result<(), Error> {
    let weights = encode_weights(&model.regression).map_err(|reason| Error::CorruptModel {
        location: root.join(WEIGHTS).to_string(),
        reason,
    })?;
    stores.put(&root.join(WEIGHTS), weights.into())?;
    if let ModelBackbone::File(bytes) = &model.backbone {
        stores.put(&root.join(BACKBONE), bytes.to_vec().into())?;
    }
    stores.put(&root.join(CARD), card.into_bytes().into())?;
    let mut text =
        serde_json::to_vec_pretty(&model.pipeline).map_err(|error| Error::CorruptModel {
            location: root.join(PIPELINE).to_string(),
            reason: error.to_string(),
        })?;
    text.push(b'\n');
    stores.put_new(&root.join(PIPELINE), text.into())?;
    Ok(())
}

/// The stage of a backbone that was opened by `name`.
pub(crate) fn featurizer_stage(
    name: &str,
    backbone: &Backbone,
    alpha: AlphaPolicy,
    sample_ids: &str,
) -> FeaturizerStage {
    FeaturizerStage {
        backbone: backbone_name(backbone),
        backbone_hash: backbone.hash().to_owned(),
        file: (name != EMBEDDED).then(|| BACKBONE.to_owned()),
        feature_key: backbone.feature_key(alpha),
        dimension: backbone.dimension(),
        alpha,
        sample_ids: sample_ids.to_owned(),
    }
}

/// The stage of a fitted regression.
pub(crate) fn regression_stage(
    params: &LogisticRegression,
    model: &LogisticRegressionModel,
    fit: FitSummary,
) -> RegressionStage {
    RegressionStage {
        params: params.clone(),
        family: model.family(),
        file: WEIGHTS.to_owned(),
        fit,
    }
}

/// The layout of this version.
pub(crate) fn new_pipeline(
    stages: Stages,
    training: Training,
    metrics: Option<EvaluateSummary>,
) -> SavedPipeline {
    SavedPipeline {
        format_version: FORMAT_VERSION,
        library: format!("sparkles {}", env!("CARGO_PKG_VERSION")),
        stages,
        training,
        metrics,
    }
}

fn bytes_of(values: &[f64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// `coefficients` (rows × columns) and `intercepts` (rows), 64-bit floats.
fn encode_weights(model: &LogisticRegressionModel) -> Result<Vec<u8>, String> {
    let rows = model.intercepts().len();
    let coefficients = bytes_of(model.coefficients());
    let intercepts = bytes_of(model.intercepts());
    let views = [
        ("coefficients", vec![rows, model.columns()], &coefficients),
        ("intercepts", vec![rows], &intercepts),
    ];
    let mut tensors = Vec::new();
    for (name, shape, bytes) in views {
        let view = TensorView::new(Dtype::F64, shape, bytes).map_err(|error| error.to_string())?;
        tensors.push((name, view));
    }
    safetensors::serialize(tensors, None).map_err(|error| error.to_string())
}

fn decode_weights(bytes: &[u8]) -> Result<(Vec<f64>, Vec<f64>), String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let read: HashMap<&str, Vec<f64>> = ["coefficients", "intercepts"]
        .into_iter()
        .map(|name| {
            let view = tensors.tensor(name).map_err(|error| error.to_string())?;
            if view.dtype() != Dtype::F64 {
                return Err(format!("`{name}` holds no 64-bit floats"));
            }
            let values = view.data().as_chunks::<8>().0;
            Ok((
                name,
                values
                    .iter()
                    .map(|value| f64::from_le_bytes(*value))
                    .collect(),
            ))
        })
        .collect::<Result<_, String>>()?;
    let take = |name| read.get(name).cloned().unwrap_or_default();
    Ok((take("coefficients"), take("intercepts")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn weights_come_back_bit_for_bit() {
        let coefficients = vec![0.1, -1e-300, f64::MAX, 1.0 / 3.0, 0.0, -0.0];
        let model = LogisticRegressionModel::from_parts(
            Family::Multinomial,
            3,
            2,
            coefficients.clone(),
            vec![1.0, 2.0, -3.0],
        )
        .unwrap();
        let bytes = encode_weights(&model).unwrap();
        assert_eq!(bytes, encode_weights(&model).unwrap());
        let (back, intercepts) = decode_weights(&bytes).unwrap();
        let bits = |values: &[f64]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&back), bits(&coefficients));
        assert_eq!(intercepts, [1.0, 2.0, -3.0]);
        assert!(decode_weights(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode_weights(b"").is_err());
    }
}
