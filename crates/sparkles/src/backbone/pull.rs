//! Published weights become a backbone.

use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};
use sparkles_data::{Location, Stores};
use sparkles_vision::{Architecture, Weights};

use super::hub::{Hub, HubFile};
use super::{pulled_file, write_with_card};
use crate::{Error, Progress};

/// Where the weights of a backbone come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightSource {
    /// The published ones: fetched from the Hugging Face Hub, or from its mirror
    /// that `HF_ENDPOINT` names, into the cache that its other clients share.
    Hub,
    /// A safetensors file with the names of `timm`.
    File(Location),
    /// Random ones, by their seed: for benchmarks and tests of the real shape.
    Random(u64),
}

/// What to build, and where to put it.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// The network.
    pub architecture: Architecture,
    /// Its weights.
    pub weights: WeightSource,
    /// The file to write; none for the folder of pulled backbones, where it is
    /// found by its name.
    pub out: Option<Location>,
}

/// What was built.
#[derive(Debug, Clone, Serialize)]
pub struct PullSummary {
    /// The backbone's name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Length of the file.
    pub bytes: u64,
    /// sha256 of the file of weights; null for random ones.
    pub weights_sha256: Option<String>,
    /// Length of a feature vector.
    pub dimension: usize,
    /// Seconds of the whole run.
    pub seconds: f64,
}

/// Builds the ONNX graph of a network from its weights and writes it with a card
/// and a self-test.
pub fn pull(
    stores: &Stores,
    request: &PullRequest,
    progress: &dyn Progress,
) -> Result<PullSummary, Error> {
    let started = Instant::now();
    let architecture = request.architecture;
    let out = match &request.out {
        Some(out) => out.clone(),
        None => pulled_file(architecture)?,
    };
    if stores.version(&out).is_ok() {
        return Err(Error::OutputExists {
            location: out.to_string(),
        });
    }
    let of_file = |bytes: &[u8], source: &str, sha256: &str| {
        progress.begin("building", 0);
        let version = sha256.get(..12).unwrap_or(sha256);
        Weights::from_safetensors(bytes)
            .and_then(|weights| architecture.build(&weights, source, version))
    };
    let (built, sha256) = match &request.weights {
        WeightSource::Hub => {
            let repository = architecture.repository();
            let hub_error = |source| Error::Hub {
                name: architecture.name().to_owned(),
                source: Box::new(source),
            };
            let hub = Hub::from_env().map_err(hub_error)?;
            let fetched = hub.fetch(repository, progress).map_err(hub_error)?;
            let HubFile {
                bytes,
                sha256,
                commit,
            } = fetched;
            let source = format!("{}, commit {commit}, sha256 {sha256}", hub.url(repository));
            (of_file(&bytes, &source, &sha256), Some(sha256))
        }
        WeightSource::Random(seed) => {
            progress.begin("building", 0);
            let source = format!("random weights, seed {seed}: features mean nothing");
            let version = format!("random-{seed}");
            let built = architecture.build(&Weights::random(*seed), &source, &version);
            (built, None)
        }
        WeightSource::File(location) => {
            let bytes = stores.read(location)?;
            let sha256 = hexadecimal(&Sha256::digest(&bytes));
            let source = format!("`{}`, sha256 {sha256}", location.file_name());
            (of_file(&bytes, &source, &sha256), Some(sha256))
        }
    };
    let (file, mut card) = built.map_err(|source| Error::Weights {
        name: architecture.name().to_owned(),
        source,
    })?;
    card.weights_sha256.clone_from(&sha256);
    let (backbone, bytes) = write_with_card(stores, &out, file, card)?;
    progress.finish();
    Ok(PullSummary {
        name: architecture.name().to_owned(),
        file: out.to_string(),
        bytes,
        weights_sha256: sha256,
        dimension: backbone.dimension(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
