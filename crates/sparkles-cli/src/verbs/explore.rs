//! `sparkles explore`.

use std::fmt::Write as _;

use sparkles::{ExploreRequest, ExploreSummary, MemorySize, Stores};

use super::open_dataset;
use crate::args::ExploreArguments;
use crate::output;
use crate::text::{Align, bar, bars, clean, count, counted, section, table};

/// Classes that are listed.
const CLASSES: usize = 20;

pub(crate) fn explore(stores: &Stores, arguments: &ExploreArguments) -> anyhow::Result<()> {
    let dataset = open_dataset(stores, &arguments.dataset)?;
    let request = ExploreRequest {
        labels: arguments.labels.clone(),
    };
    let summary = sparkles::explore(&dataset, &request)?;
    output::summary(arguments.format, &summary, render)
}

pub(crate) fn render(summary: &ExploreSummary) -> String {
    let counts = &summary.counts;
    let mut out = format!(
        "{}, {}, {} of {}\n",
        counted(counts.samples, "photo", "photos"),
        MemorySize(summary.total_bytes),
        counted(counts.labels, "label row", "label rows"),
        counted(counts.classes, "class", "classes"),
    );
    let _ = writeln!(
        out,
        "  {} without a label · {} without a photo · {} · {} refused",
        counted(counts.unlabelled, "photo", "photos"),
        counted(counts.without_photo, "labelled id", "labelled ids"),
        counted(
            counts.doubled_ids,
            "id shared by photos",
            "ids shared by photos"
        ),
        counted(counts.rejected, "file", "files"),
    );
    classes(&mut out, summary);
    let per_sample: Vec<(String, u64)> = summary
        .labels_per_sample
        .iter()
        .map(|(labels, samples)| (labels.to_string(), *samples))
        .collect();
    section(
        &mut out,
        "Labels present per photo",
        &bars(("labels", "photos"), borrowed(&per_sample)),
    );
    let maps = [
        (
            "Who says so",
            ("source", "label rows"),
            &summary.label_sources,
        ),
        (
            "Confidence (1 present, 0 absent)",
            ("confidence", "label rows"),
            &summary.confidences,
        ),
        ("Formats", ("format", "photos"), &summary.formats),
    ];
    for (heading, what, map) in maps {
        if !map.is_empty() {
            let pairs = map.iter().map(|(name, number)| (name.as_str(), *number));
            section(&mut out, heading, &bars(what, pairs));
        }
    }
    let channels: Vec<(String, u64)> = summary
        .channels
        .iter()
        .map(|(channels, photos)| {
            let name = match channels {
                1 => "1 (grey)".to_owned(),
                2 => "2 (grey, alpha)".to_owned(),
                3 => "3 (colour)".to_owned(),
                other => format!("{other} (colour, alpha or CMYK)"),
            };
            (name, *photos)
        })
        .collect();
    section(
        &mut out,
        "Channels",
        &bars(("channels", "photos"), borrowed(&channels)),
    );
    let turned: u64 = summary
        .orientations
        .iter()
        .filter(|(orientation, _)| **orientation != 1)
        .map(|(_, photos)| *photos)
        .sum();
    if turned > 0 {
        let _ = writeln!(
            out,
            "  {} stored turned (EXIF)",
            counted(turned, "photo", "photos")
        );
    }
    sizes(&mut out, summary);
    co_occurrence(&mut out, summary);
    for (stage, reasons) in &summary.rejects {
        let pairs = reasons
            .iter()
            .map(|(name, number)| (name.as_str(), *number));
        section(
            &mut out,
            &format!("Refused by {stage}"),
            &bars(("reason", "count"), pairs),
        );
    }
    for (backbone, rows) in &summary.features {
        let _ = writeln!(
            out,
            "\nFeatures of {backbone}: {}",
            counted(*rows, "photo", "photos")
        );
    }
    out
}

fn borrowed(pairs: &[(String, u64)]) -> impl Iterator<Item = (&str, u64)> {
    pairs.iter().map(|(name, number)| (name.as_str(), *number))
}

fn classes(out: &mut String, summary: &ExploreSummary) {
    let most = summary
        .classes
        .iter()
        .map(|class| class.present)
        .max()
        .unwrap_or(0);
    let rows: Vec<Vec<String>> = summary
        .classes
        .iter()
        .take(CLASSES)
        .map(|class| {
            vec![
                class.display_name.clone(),
                count(class.present),
                count(class.absent),
                count(class.machine_made),
                count(class.refused),
                count(class.without_photo),
                bar(class.present, most),
            ]
        })
        .collect();
    let header = [
        ("class", Align::Left),
        ("present", Align::Right),
        ("absent", Align::Right),
        ("machine", Align::Right),
        ("refused", Align::Right),
        ("no photo", Align::Right),
        ("", Align::Left),
    ];
    section(
        out,
        "Photos by class (present and absent: verified; machine: confidence between)",
        &table(&header, &rows),
    );
    let left = summary.classes.len().saturating_sub(CLASSES) as u64;
    if left > 0 {
        let _ = writeln!(out, "  and {}", counted(left, "class more", "classes more"));
    }
}

fn sizes(out: &mut String, summary: &ExploreSummary) {
    let row = |name: &str, values: sparkles::Quantiles, show: fn(u64) -> String| {
        let values = [
            values.min,
            values.lower_quartile,
            values.median,
            values.upper_quartile,
            values.max,
        ];
        std::iter::once(name.to_owned())
            .chain(values.map(show))
            .collect::<Vec<_>>()
    };
    let rows = [
        row("width", summary.width, count),
        row("height", summary.height, count),
        row("file", summary.bytes, |bytes| MemorySize(bytes).to_string()),
    ];
    let header = [
        ("", Align::Left),
        ("least", Align::Right),
        ("quarter", Align::Right),
        ("half", Align::Right),
        ("three quarters", Align::Right),
        ("most", Align::Right),
    ];
    section(out, "Sizes", &table(&header, &rows));
}

fn co_occurrence(out: &mut String, summary: &ExploreSummary) {
    let together = &summary.co_occurrence;
    if together.labels.len() < 2 {
        return;
    }
    let names: Vec<String> = together.labels.iter().map(|label| clean(label)).collect();
    let mut header = vec![("", Align::Left)];
    header.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    let rows: Vec<Vec<String>> = names
        .iter()
        .zip(&together.counts)
        .map(|(name, counts)| {
            std::iter::once(name.clone())
                .chain(counts.iter().map(|number| count(*number)))
                .collect()
        })
        .collect();
    section(out, "Photos that have both labels", &table(&header, &rows));
}
