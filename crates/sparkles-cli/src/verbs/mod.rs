//! One function a verb: arguments to a request, the summary to text.

mod backbone;
mod evaluate;
mod explore;
mod featurize;
mod ingest;
mod model;
mod predict;
#[cfg(feature = "sql")]
mod sql;
mod tag;
mod train;

pub(crate) use backbone::backbone;
pub(crate) use evaluate::{evaluate, render as render_evaluate};
pub(crate) use explore::{explore, render as render_explore};
pub(crate) use featurize::{featurize, render as render_featurize};
pub(crate) use ingest::{ingest, render as render_ingest};
pub(crate) use model::model;
pub(crate) use predict::predict;
#[cfg(feature = "sql")]
pub(crate) use sql::sql;
pub(crate) use tag::tag;
pub(crate) use train::{render as render_train, train};

use anyhow::bail;
use sparkles::{Dataset, Error, Location, ScoreSummary, Stores};

use crate::text::counted;

/// The dataset at `text`.
fn open_dataset(stores: &Stores, text: &str) -> Result<Dataset, Error> {
    Ok(Dataset::open(stores, &Location::parse(text)?)?)
}

/// Says how many files have no score; that none has is a failure.
fn report_refused(summary: &ScoreSummary) -> anyhow::Result<()> {
    if summary.refused > 0 {
        eprintln!(
            "{} refused of {}",
            summary.refused,
            counted(summary.found, "file", "files")
        );
    }
    if summary.scored == 0 {
        bail!("no file is a photo");
    }
    Ok(())
}
