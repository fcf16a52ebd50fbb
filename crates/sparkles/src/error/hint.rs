//! What to do about what went wrong.

use sparkles_data::DataError;
use sparkles_vision::{BackboneError, Engine, OnnxError, Provider};

use super::Error;
use crate::HubError;

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Data(error) => return data_hint(error),
            Self::Backbone {
                source: BackboneError::Card(_),
                ..
            } => "a backbone is an ONNX file whose `metadata_props` hold a card: input size, \
                  resize, mean, standard deviation, outputs (keys `sparkles.*`)"
                .to_owned(),
            Self::Backbone {
                source: BackboneError::NoRuntime { .. },
                ..
            } => "`pip install onnxruntime` in an active environment, or unpack a release of \
                  https://github.com/microsoft/onnxruntime; `ORT_DYLIB_PATH` names the library's \
                  file. `--engine rten` needs nothing"
                .to_owned(),
            Self::Backbone {
                source: BackboneError::NoProvider { engine, .. },
                ..
            } => return provider_hint(*engine),
            Self::UnknownBackbone { .. } => {
                "give the path of an ONNX file that carries a card, ending in `.onnx`".to_owned()
            }
            Self::NoImages {
                from_table: true, ..
            } => "name the photos' folder with `--images`; paths in a label table start at the \
                 table's folder"
                .to_owned(),
            Self::NotPulled { name } => format!(
                "`sparkles backbone pull {name}` fetches its published weights and builds it; \
                 without a network, `--from FILE.safetensors`"
            ),
            Self::Hub { name, source } => hub_hint(name, source),
            Self::NoHome => "set `SPARKLES_HOME` to a folder".to_owned(),
            Self::NoSelfTest { .. } => {
                "`sparkles backbone cut` writes one into the file that it makes".to_owned()
            }
            Self::Onnx {
                source: OnnxError::NoPreprocessing,
                ..
            } => "`--preset torchvision`, `--preset keras-tf` or `--preset keras-caffe`, and \
                 `--mean`, `--std`, … where it departs from them"
                .to_owned(),
            Self::Onnx {
                source: OnnxError::InputSide { .. },
                ..
            } => "`--size N` says how many there are".to_owned(),
            Self::BackboneChanged { .. } => "run it again".to_owned(),
            Self::Onnx {
                source:
                    OnnxError::NoClassifier
                    | OnnxError::FeatureShape { .. }
                    | OnnxError::MapsLayout { .. },
                ..
            } => "`--output VALUE` says where to cut; `sparkles backbone inspect FILE --values` \
                  lists them"
                .to_owned(),
            Self::Onnx {
                source: OnnxError::UnknownShape { .. },
                ..
            }
            | Self::Backbone {
                source: BackboneError::Load { .. },
                ..
            } => "`sparkles backbone inspect FILE` says which operators it cannot run".to_owned(),
            Self::NoImageLocations => {
                "name a folder, files or a glob with `--images`, or a table with a location column \
                 with `--labels`"
                    .to_owned()
            }
            Self::LabelColumn { .. } | Self::UnknownLabelFile { .. } => {
                "expected `ImageID,Source,LabelName,Confidence` (Open Images), or a location and a \
                 label column, which `--location-column` and `--label-column` may name"
                    .to_owned()
            }
            Self::TooFewClasses { .. } => {
                "put the photos of each class into a sub-folder of its own, or take them in with \
                 a label file: `sparkles ingest --images FOLDER --labels FILE --out DATASET`"
                    .to_owned()
            }
            Self::DatasetExists { .. } => {
                "`--update` takes everything in anew and keeps the features of photos that did \
                 not change; or give another `--out`"
                    .to_owned()
            }
            Self::IdPattern { .. } => {
                "its first group is the sample id, for example `([0-9a-f]{16})`".to_owned()
            }
            Self::Accounting { .. } => {
                "this is a defect of sparkles; please report it with the command that you ran"
                    .to_owned()
            }
            Self::TooManyRejects { .. } => {
                "`sparkles sql DATASET \"SELECT reason, location, message FROM rejects\"` lists \
                 them; raise `--max-rejects` to go on, finished parts are kept"
                    .to_owned()
            }
            Self::MemoryTooSmall {
                least_mebibytes, ..
            } => format!("`--memory {least_mebibytes}MiB`, or fewer `--threads`"),
            Self::UnknownLabel { .. } => {
                "`sparkles sql DATASET \"SELECT display_name, count(*) FROM labelled GROUP BY 1\"` \
                 lists them all"
                    .to_owned()
            }
            Self::AmbiguousLabel { .. } => "give one of these instead".to_owned(),
            Self::NoRows { .. } => {
                "only labels of confidence 1 count as present; `sparkles explore DATASET` shows \
                 what there is"
                    .to_owned()
            }
            Self::NoAbsent { .. } => {
                "an image without a row is unknown, not negative: name a second `--label`, or add \
                 rows of confidence 0"
                    .to_owned()
            }
            Self::OneLabel { total: 0, .. } => {
                "all photos with these labels were refused: `sparkles sql DATASET \"SELECT reason, \
                 location, message FROM rejects\"` says why"
                    .to_owned()
            }
            Self::OneLabel { refused: 1.., .. } => {
                "photos were refused, perhaps all of a label: `sparkles explore DATASET` and \
                 `sparkles sql DATASET \"SELECT reason, location, message FROM rejects\"` show them"
                    .to_owned()
            }
            Self::OneLabel { labels: 1, .. } => {
                "a classifier tells two labels or more apart; `sparkles explore DATASET` shows \
                 what there is"
                    .to_owned()
            }
            Self::OneLabel { .. } => {
                "change `--seed`, or give more of the data to the train part with `--split`"
                    .to_owned()
            }
            Self::NoSharedLabel { .. } => {
                "labels are compared by label name, then by readable name in any case; \
                 `sparkles explore DATASET` shows what there is"
                    .to_owned()
            }
            Self::NothingMeasured { .. } => {
                "`sparkles sql DATASET \"SELECT reason, location, message FROM rejects\"` lists \
                 what was refused"
                    .to_owned()
            }
            Self::SeveralLabels { .. } => {
                "`--both drop` leaves such samples out, `--both keep` makes one row a label"
                    .to_owned()
            }
            Self::OutputExists { .. } => "give another `--out`, or remove it first".to_owned(),
            Self::NotAModel { .. } => {
                "a model is the folder that `sparkles train … --out MODEL` made".to_owned()
            }
            Self::NewerModel { .. } => "update sparkles".to_owned(),
            Self::CorruptModel { .. } => "train the model again".to_owned(),
            Self::OtherFeatures { .. } => {
                "this version of sparkles prepares pixels otherwise than the one that trained the \
                 model: train it again"
                    .to_owned()
            }
            Self::NothingHeldBack { .. } => {
                "`--on all` measures on all rows, those that the model has learned from too"
                    .to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

fn provider_hint(engine: Engine) -> Option<String> {
    let (package, needs) = match engine {
        Engine::Ort(Provider::Cuda) => (
            "onnxruntime-gpu",
            ", a driver, and the CUDA and cuDNN libraries of that version on the loader's path",
        ),
        Engine::Ort(Provider::OpenVino) => ("onnxruntime-openvino", ""),
        _ => return None,
    };
    Some(format!(
        "it takes the library of `pip install {package}`{needs}; `ORT_DYLIB_PATH` names its file. \
         `--engine ort` computes on the processor"
    ))
}

fn hub_hint(name: &str, error: &HubError) -> String {
    match error {
        HubError::Network { .. } | HubError::TooShort { .. } => format!(
            "run it again: what has come is kept; `HTTPS_PROXY` names a proxy, `HF_ENDPOINT` a \
             mirror, and `sparkles backbone pull {name} --from FILE.safetensors` takes a file that \
             you have"
        ),
        HubError::Status {
            status: 401 | 403, ..
        } => "`HF_TOKEN` or `hf auth login` says who you are".to_owned(),
        HubError::Status { .. } | HubError::Undeclared { .. } => format!(
            "`HF_ENDPOINT` names another hub; `sparkles backbone pull {name} --from \
             FILE.safetensors` takes a file that you have"
        ),
        HubError::WrongHash { .. } | HubError::TooLong { .. } => {
            "what came was thrown away: run it again, from another mirror if it stays so".to_owned()
        }
        HubError::Offline { .. } => {
            format!("unset it, or `sparkles backbone pull {name} --from FILE.safetensors`")
        }
        HubError::Cache { .. } => {
            "make room there, or name another folder with `HF_HUB_CACHE`: what has come is kept"
                .to_owned()
        }
        HubError::NoHome => "set `HF_HUB_CACHE` to a folder".to_owned(),
    }
}

fn data_hint(error: &DataError) -> Option<String> {
    // Files of a feature key; those of rejects bear the key in their name.
    let computed = |location: &str| {
        let name = location.rsplit('/').next().unwrap_or_default();
        location.contains("/features/") || location.contains("/rejects/") && name.contains('-')
    };
    let hint = match error {
        DataError::NotADataset { .. } => {
            "a dataset is the folder that `sparkles ingest … --out DATASET` made".to_owned()
        }
        DataError::NewerFormat { .. } => "update sparkles".to_owned(),
        DataError::Exists { .. } => "give another `--out`, or remove it first".to_owned(),
        DataError::Corrupt { location, .. } if computed(location) => {
            format!("remove `{location}`, and `sparkles featurize DATASET` computes its rows anew")
        }
        DataError::MissingPart { location } if computed(location) => {
            "`sparkles featurize DATASET` computes its rows anew".to_owned()
        }
        DataError::MissingPart { .. } => {
            "another process may have updated the dataset meanwhile: run this again; if it stays \
             so, `sparkles ingest … --update`"
                .to_owned()
        }
        DataError::Corrupt { .. } => "remove the dataset and ingest it again".to_owned(),
        DataError::UnsupportedScheme { .. } => {
            "this version reads local files; copy the photos to this machine first".to_owned()
        }
        DataError::Locked { .. } => "wait until it is done".to_owned(),
        _ => return None,
    };
    Some(hint)
}
