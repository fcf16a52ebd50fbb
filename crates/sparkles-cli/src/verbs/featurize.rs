//! `sparkles featurize`.

use std::fmt::Write as _;

use sparkles::{FeaturizeOptions, FeaturizeSummary, MemorySize, Stores};

use super::open_dataset;
use crate::args::FeaturizeArguments;
use crate::output;
use crate::progress::Bars;
use crate::text::{count, counted, duration};

pub(crate) fn featurize(stores: &Stores, arguments: &FeaturizeArguments) -> anyhow::Result<()> {
    let dataset = open_dataset(stores, &arguments.dataset)?;
    let options = FeaturizeOptions {
        part_rows: usize::try_from(arguments.part_rows)?,
        max_rejects: arguments.max_rejects,
        ..arguments.features.options()
    };
    let summary = sparkles::featurize(&dataset, &options, &Bars::default())?;
    output::summary(arguments.format, &summary, render)
}

pub(crate) fn render(summary: &FeaturizeSummary) -> String {
    let mut out = format!(
        "{}: {} featurized, {} reused, {} refused\n",
        counted(summary.samples, "photo", "photos"),
        count(summary.featurized),
        count(summary.reused),
        count(summary.rejected),
    );
    for (reason, number) in &summary.rejected_by_reason {
        let _ = writeln!(out, "  {} {}", count(*number), reason.replace('_', " "));
    }
    let bytes = 4 * summary.dimension as u64;
    let _ = write!(
        out,
        "{} features a photo by {} ({}, {} in all), {}",
        count(summary.dimension as u64),
        summary.backbone,
        MemorySize(bytes),
        MemorySize(bytes * (summary.featurized + summary.reused)),
        duration(summary.seconds),
    );
    if summary.images_per_second > 0.0 {
        let _ = write!(out, ", {:.1} photos a second", summary.images_per_second);
    }
    if let Some(peak) = summary.peak_memory_bytes {
        let _ = write!(out, ", at most {} of memory", MemorySize(peak));
    }
    out.push('\n');
    out
}
