//! `sparkles tag`.

use sparkles::{Stores, TagRequest};

use super::report_refused;
use crate::args::TagArguments;
use crate::output::TagWriter;
use crate::progress::Bars;

pub(crate) fn tag(stores: &Stores, arguments: &TagArguments) -> anyhow::Result<()> {
    let request = TagRequest {
        images: arguments.images.clone(),
        top: arguments.top,
    };
    let mut writer = TagWriter::new(arguments.format);
    let summary = sparkles::tag(
        stores,
        &request,
        &arguments.features.options(),
        &Bars::default(),
        |outcome| writer.write(&outcome),
    )?;
    report_refused(&summary)
}
