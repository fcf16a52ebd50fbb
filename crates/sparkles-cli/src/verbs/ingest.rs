//! `sparkles ingest`.

use std::fmt::Write as _;

use sparkles::{IngestRequest, IngestSummary, Location, Stores};

use crate::args::IngestArguments;
use crate::output;
use crate::progress::Bars;
use crate::text::{bars, clean, count, counted, duration, section};

pub(crate) fn ingest(stores: &Stores, arguments: &IngestArguments) -> anyhow::Result<()> {
    let out = Location::parse(&arguments.out).map_err(sparkles::Error::from)?;
    let request = IngestRequest {
        images: arguments.images.clone(),
        labels: arguments.labels.clone(),
        classes: arguments.classes.clone(),
        id_pattern: arguments.id_pattern.clone(),
        location_column: arguments.location_column.clone(),
        label_column: arguments.label_column.clone(),
        update: arguments.update,
        ..IngestRequest::new(out)
    };
    let (_, summary) = sparkles::ingest(stores, &request, &Bars::default())?;
    output::summary(arguments.format, &summary, render)
}

pub(crate) fn render(summary: &IngestSummary) -> String {
    let counts = &summary.counts;
    let mut out = format!(
        "{} found: {} taken in, {} refused ({})\n",
        counted(counts.found, "file", "files"),
        count(counts.samples),
        count(counts.rejected),
        duration(summary.seconds),
    );
    for (reason, number) in &summary.rejected_by_reason {
        let _ = writeln!(out, "  {} {}", count(*number), reason.replace('_', " "));
    }
    let source = match summary.label_source.as_str() {
        "folders" => "from the names of sub-folders",
        "table" => "from a table of locations and labels",
        _ => "from an Open Images label file",
    };
    let _ = writeln!(
        out,
        "{} of {} {source}",
        counted(counts.labels, "label row", "label rows"),
        counted(counts.classes, "class", "classes"),
    );
    let oddities = [
        (
            counts.unlabelled,
            "photo without a label",
            "photos without a label",
            &[][..],
        ),
        (
            counts.without_photo,
            "labelled id without a photo",
            "labelled ids without a photo",
            &summary.without_photo_examples,
        ),
        (
            counts.doubled_ids,
            "id that several photos share: its labels go to all of them",
            "ids that several photos share: their labels go to all of them",
            &summary.doubled_examples,
        ),
        (
            counts.doubled_labels,
            "label row that repeats another",
            "label rows that repeat another",
            &[],
        ),
        (
            counts.contradictory_labels,
            "label both present and absent on one photo",
            "labels both present and absent on one photo",
            &summary.contradictory_examples,
        ),
        (
            counts.unknown_classes,
            "class without a readable name",
            "classes without a readable name",
            &[],
        ),
        (
            counts.rejected_labels,
            "label row that cannot be used (see `rejects`)",
            "label rows that cannot be used (see `rejects`)",
            &[],
        ),
        (
            summary.pattern_unmatched,
            "photo that the id pattern does not match: its file stem is the id",
            "photos that the id pattern does not match: their file stem is the id",
            &[],
        ),
    ];
    for (number, one, many, examples) in oddities {
        if number > 0 {
            let examples: Vec<String> = examples.iter().map(|example| clean(example)).collect();
            let examples = match examples.as_slice() {
                [] => String::new(),
                some => format!(
                    " ({}{})",
                    some.join(", "),
                    if number > 5 { ", …" } else { "" }
                ),
            };
            let _ = writeln!(out, "  {}{examples}", counted(number, one, many));
        }
    }
    if !summary.top_classes.is_empty() {
        let top = summary
            .top_classes
            .iter()
            .map(|(name, rows)| (name.as_str(), *rows));
        section(
            &mut out,
            "Most frequent classes",
            &bars(("class", "present"), top),
        );
    }
    let _ = writeln!(out, "\nDataset: {}", summary.dataset);
    out
}
