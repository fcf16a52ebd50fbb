//! `sparkles predict`.

use anyhow::bail;
use sparkles::{Error, Location, Model, PredictRequest, Stores};

use crate::args::PredictArguments;
use crate::output::PredictionWriter;
use crate::progress::Bars;
use crate::text::counted;

pub(crate) fn predict(stores: &Stores, arguments: &PredictArguments) -> anyhow::Result<()> {
    let root = Location::parse(&arguments.model).map_err(Error::from)?;
    let model = Model::load(stores, &root)?;
    let request = PredictRequest {
        images: arguments.images.clone(),
    };
    let mut writer = PredictionWriter::new(arguments.format, arguments.top, model.labels());
    let summary = sparkles::predict(
        stores,
        &model,
        &request,
        &arguments.machine.options(),
        &Bars::default(),
        |outcome| {
            writer.write(&outcome).map_err(|source| Error::Output {
                location: "standard output".to_owned(),
                source,
            })
        },
    )?;
    if summary.refused > 0 {
        eprintln!(
            "{} refused of {}",
            summary.refused,
            counted(summary.found, "file", "files")
        );
    }
    if summary.predicted == 0 {
        bail!("no file is a photo that can be predicted");
    }
    Ok(())
}
