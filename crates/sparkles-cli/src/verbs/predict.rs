//! `sparkles predict`.

use sparkles::{Error, Location, Model, PredictRequest, Stores};

use super::report_refused;
use crate::args::PredictArguments;
use crate::output::PredictionWriter;
use crate::progress::Bars;

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
        |outcome| writer.write(&outcome),
    )?;
    report_refused(&summary)
}
