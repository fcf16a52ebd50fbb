//! The verb `tag`: the backbone's own classes for photos, without any training.

use serde::Serialize;
use sparkles_data::Stores;
use sparkles_vision::{BackboneError, Tag};

use crate::backbone::open_backbone;
use crate::featurize::{BackboneOutput, Photo};
use crate::scoring::{PhotoOutcome, ScoreSummary, Scorer};
use crate::{Error, FeaturizeOptions, Progress};

/// What to tag.
#[derive(Debug, Clone)]
pub struct TagRequest {
    /// Folders, files, globs, or text files with one location a line.
    pub images: Vec<String>,
    /// Classes a photo, the most probable ones.
    pub top: usize,
}

/// The classes of one photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaggedPhoto {
    /// Where the photo lives.
    pub location: String,
    /// The classes, most probable first.
    pub tags: Vec<Tag>,
}

/// Tags photos in order of location with the classes that the backbone was trained
/// on; `emit` gets each outcome as soon as its turn has come, and stops it all by an
/// error.
pub fn tag(
    stores: &Stores,
    request: &TagRequest,
    options: &FeaturizeOptions,
    progress: &dyn Progress,
    emit: impl FnMut(PhotoOutcome<TaggedPhoto>) -> Result<(), Error>,
) -> Result<ScoreSummary, Error> {
    let backbone = open_backbone(stores, &options.backbone, options.engine)?;
    let card = backbone.card().clone();
    if card.logits_output.is_none() {
        return Err(Error::Backbone {
            name: options.backbone.clone(),
            source: BackboneError::NoLogits,
        });
    }
    let scorer = Scorer {
        backbone,
        output: BackboneOutput::Logits,
        sample_id: &|candidate| candidate.address.clone(),
        score: &|photo: &Photo, logits: &[f32]| {
            Ok(TaggedPhoto {
                location: photo.location.clone(),
                tags: card.tags(logits, request.top),
            })
        },
        doing: "tagging",
    };
    scorer.run(stores, &request.images, options, progress, emit)
}
