//! A trained pipeline on disk: written once, loaded anywhere.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sparkles_data::{Claim, DataError, Location, Stores};
use sparkles_learn::{
    Family, FitSummary, LogisticRegression, LogisticRegressionModel, SplitRatio, StringIndexerModel,
};
use sparkles_vision::{AlphaPolicy, Backbone, Engine};

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
    /// blake3 of that file, in hexadecimal.
    pub file_hash: String,
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
    /// Marks of the contents of the photos that it has learned from, ascending.
    trained_on: Vec<u64>,
    backbone: ModelBackbone,
}

#[derive(Debug, Clone)]
enum ModelBackbone {
    Embedded,
    File(bytes::Bytes),
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
        let weights = stores.read(&root.join(weights_file))?;
        if blake3::hash(&weights).to_hex().as_str() != stages.logistic_regression.file_hash {
            let reason = "it is not the file that was written with the model";
            return Err(corrupt(weights_file, reason.to_owned()));
        }
        let weights = Weights::decode(&weights).map_err(|reason| corrupt(weights_file, reason))?;
        let regression = LogisticRegressionModel::from_parts(
            stages.logistic_regression.family,
            indexer.labels().len(),
            stages.featurizer.dimension,
            weights.coefficients,
            weights.intercepts,
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
                ModelBackbone::File(bytes)
            }
        };
        let sample_ids = SampleIds::parse(&stages.featurizer.sample_ids)
            .ok_or_else(|| corrupt(PIPELINE, "`sample_ids` cannot be read".to_owned()))?;
        Ok(Self {
            pipeline,
            indexer,
            regression,
            sample_ids,
            trained_on: weights.trained_on,
            backbone,
        })
    }

    /// A model that was fitted just now, with a backbone opened by `name`.
    pub(crate) fn new(
        pipeline: SavedPipeline,
        indexer: StringIndexerModel,
        regression: LogisticRegressionModel,
        mut trained_on: Vec<u64>,
        stores: &Stores,
        name: &str,
    ) -> Result<Self, Error> {
        trained_on.sort_unstable();
        trained_on.dedup();
        let stage = &pipeline.stages.featurizer;
        let sample_ids = SampleIds::parse(&stage.sample_ids).unwrap_or(SampleIds::Path);
        let backbone = if stage.file.is_none() {
            ModelBackbone::Embedded
        } else {
            let location = crate::backbone::backbone_file(name)?;
            let bytes = match location {
                Some(location) => stores.read(&location)?,
                None => bytes::Bytes::from_static(sparkles_lite0::ONNX),
            };
            if blake3::hash(&bytes).to_hex().as_str() != stage.backbone_hash {
                return Err(Error::BackboneChanged {
                    name: name.to_owned(),
                });
            }
            ModelBackbone::File(bytes)
        };
        Ok(Self {
            pipeline,
            indexer,
            regression,
            sample_ids,
            trained_on,
            backbone,
        })
    }

    /// Whether it has learned from a photo of these contents.
    pub(crate) fn has_learned_from(&self, content: u64) -> bool {
        self.trained_on.binary_search(&content).is_ok()
    }

    /// The labels; a label's position is its index.
    pub fn labels(&self) -> &[String] {
        self.indexer.labels()
    }

    /// The file of the backbone that the model was trained with.
    pub(crate) fn backbone_bytes(&self) -> bytes::Bytes {
        match &self.backbone {
            ModelBackbone::Embedded => bytes::Bytes::from_static(sparkles_lite0::ONNX),
            ModelBackbone::File(bytes) => bytes.clone(),
        }
    }

    /// The backbone that the model was trained with, to be run by `engine`.
    pub fn open_backbone(&self, engine: Engine) -> Result<Backbone, Error> {
        let stage = &self.pipeline.stages.featurizer;
        let wrap = |source| Error::Backbone {
            name: stage.backbone.clone(),
            source,
        };
        let backbone = match &self.backbone {
            ModelBackbone::Embedded => Backbone::with_engine(sparkles_lite0::ONNX, engine),
            ModelBackbone::File(bytes) => Backbone::with_engine(bytes.to_vec(), engine),
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
    let mut names = stores.names(root)?;
    names.retain(|name| name != Claim::FILE);
    let foreign = names.iter().any(|name| !written.contains(&name.as_str()));
    // What an interrupted training leaves begins with the weights.
    let taken = foreign || !names.is_empty() && !names.iter().any(|name| name == WEIGHTS);
    if taken {
        return Err(Error::OutputExists {
            location: root.to_string(),
        });
    }
    Ok(())
}

/// Writes a model into a folder that is claimed; it exists once `pipeline.json`
/// does, which comes last. After an error nothing is left behind.
pub(crate) fn save(
    stores: &Stores,
    root: &Location,
    model: &Model,
    card: String,
) -> Result<(), Error> {
    check_free(stores, root)?;
    let written = write_files(stores, root, model, card);
    let is_there = stores.version(&root.join(PIPELINE)).is_ok();
    if written.is_err() && !is_there {
        // What stood in the way of the whole is no reason to leave a half.
        for file in [WEIGHTS, BACKBONE, CARD] {
            let _ = stores.delete(&root.join(file));
        }
    }
    written
}

fn write_files(stores: &Stores, root: &Location, model: &Model, card: String) -> Result<(), Error> {
    let weights = Weights {
        coefficients: model.regression.coefficients().to_vec(),
        intercepts: model.regression.intercepts().to_vec(),
        trained_on: model.trained_on.clone(),
    };
    let weights = weights
        .encode(model.regression.columns())
        .map_err(|reason| Error::CorruptModel {
            location: root.join(WEIGHTS).to_string(),
            reason,
        })?;
    let mut pipeline = model.pipeline.clone();
    pipeline.stages.logistic_regression.file_hash = blake3::hash(&weights).to_hex().to_string();
    stores.put(&root.join(WEIGHTS), weights.into())?;
    if let ModelBackbone::File(bytes) = &model.backbone {
        stores.put(&root.join(BACKBONE), bytes.clone())?;
    }
    stores.put(&root.join(CARD), card.into_bytes().into())?;
    let mut text = serde_json::to_vec_pretty(&pipeline).map_err(|error| Error::CorruptModel {
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
        // Known once it is written.
        file_hash: String::new(),
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

/// The tensors of `weights.safetensors`.
#[derive(Debug, Clone, PartialEq)]
struct Weights {
    /// Rows × columns, 64-bit floats.
    coefficients: Vec<f64>,
    /// One a row, 64-bit floats.
    intercepts: Vec<f64>,
    /// Marks of the photos learned from: the first eight bytes of the blake3 of
    /// each file as a number, ascending, 64-bit.
    trained_on: Vec<u64>,
}

impl Weights {
    const COEFFICIENTS: &str = "coefficients";
    const INTERCEPTS: &str = "intercepts";
    const TRAINED_ON: &str = "trained_on";

    fn encode(&self, columns: usize) -> Result<Vec<u8>, String> {
        let floats = |values: &[f64]| -> Vec<u8> {
            let bytes = values.iter().map(|value| value.to_le_bytes());
            bytes.flatten().collect()
        };
        let rows = self.intercepts.len();
        let (coefficients, intercepts) = (floats(&self.coefficients), floats(&self.intercepts));
        let marks = self.trained_on.iter().map(|mark| mark.to_le_bytes());
        let marks: Vec<u8> = marks.flatten().collect();
        let views = [
            (
                Self::COEFFICIENTS,
                Dtype::F64,
                vec![rows, columns],
                &coefficients,
            ),
            (Self::INTERCEPTS, Dtype::F64, vec![rows], &intercepts),
            (
                Self::TRAINED_ON,
                Dtype::U64,
                vec![self.trained_on.len()],
                &marks,
            ),
        ];
        let mut tensors = Vec::new();
        for (name, kind, shape, bytes) in views {
            let view = TensorView::new(kind, shape, bytes).map_err(|error| error.to_string())?;
            tensors.push((name, view));
        }
        safetensors::serialize(tensors, None).map_err(|error| error.to_string())
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let values = |name: &str, kind: Dtype| -> Result<Vec<[u8; 8]>, String> {
            let view = tensors.tensor(name).map_err(|error| error.to_string())?;
            if view.dtype() != kind {
                return Err(format!("`{name}` holds no numbers of type {kind:?}"));
            }
            Ok(view.data().as_chunks::<8>().0.to_vec())
        };
        let floats = |name| -> Result<Vec<f64>, String> {
            let values = values(name, Dtype::F64)?;
            Ok(values.into_iter().map(f64::from_le_bytes).collect())
        };
        let marks = values(Self::TRAINED_ON, Dtype::U64)?;
        Ok(Self {
            coefficients: floats(Self::COEFFICIENTS)?,
            intercepts: floats(Self::INTERCEPTS)?,
            trained_on: marks.into_iter().map(u64::from_le_bytes).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn weights_come_back_bit_for_bit() {
        let weights = Weights {
            coefficients: vec![0.1, -1e-300, f64::MAX, 1.0 / 3.0, 0.0, -0.0],
            intercepts: vec![1.0, 2.0, -3.0],
            trained_on: vec![1, u64::MAX],
        };
        let bytes = weights.encode(2).unwrap();
        assert_eq!(bytes, weights.encode(2).unwrap());
        let back = Weights::decode(&bytes).unwrap();
        let bits = |values: &[f64]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&back.coefficients), bits(&weights.coefficients));
        assert_eq!(back, weights);
        assert!(Weights::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Weights::decode(b"").is_err());
    }
}
