//! Rows of a CSV file, each with the line that it begins on.

use std::io::Read;

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use sparkles_data::{Location, Stores};

use crate::Error;

/// How the fields and rows of a file are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    delimiter: u8,
    /// Only files of old Macs have none.
    has_line_feeds: bool,
}

/// The first bytes of a file, at most 64 KiB of them.
pub(super) fn head(stores: &Stores, location: &Location) -> Result<Vec<u8>, Error> {
    let mut head = Vec::new();
    let reader = stores.reader(location)?;
    let read = reader.take(64 * 1024).read_to_end(&mut head);
    read.map_err(|error| Error::label_file(&location.to_string(), error.to_string()))?;
    Ok(head)
}

impl Dialect {
    /// Told by the first bytes of a file; an error if they are no text.
    pub(super) fn of(file: &str, head: &[u8]) -> Result<Self, Error> {
        let wrong = |reason: &str| Err(Error::label_file(file, reason.to_owned()));
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return wrong("it is UTF-16: save it as UTF-8");
        }
        if head.contains(&0) {
            return wrong("it is neither CSV nor Parquet");
        }
        if head.iter().all(u8::is_ascii_whitespace) {
            return wrong("it is empty");
        }
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let first_line = head.split(is_end).next().unwrap_or_default();
        let delimiter = [b',', b'\t', b';']
            .into_iter()
            .max_by_key(|delimiter| {
                let count = first_line.split(|byte| byte == delimiter).count();
                // The first of equals wins: commas.
                (count, *delimiter == b',')
            })
            .unwrap_or(b',');
        Ok(Self {
            delimiter,
            has_line_feeds: head.contains(&b'\n'),
        })
    }
}

/// A CSV file whose header, if it has one, was read.
pub(super) struct Rows<R> {
    file: String,
    /// Names of the columns; none in a file without a header.
    pub(super) columns: Vec<String>,
    csv: Reader<R>,
}

/// One row of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// The line that it begins on, from 1.
    pub(super) line: u64,
    /// How many fields it has; empty ones at its end do not count.
    pub(super) fields: usize,
    record: &'a ByteRecord,
}

impl<'a> Row<'a> {
    /// A field as text, without white space around it; empty where there is none.
    pub(super) fn text(self, index: usize) -> Result<&'a str, String> {
        let bytes = self.record.get(index).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.trim()),
            Err(_) => Err("the row is not UTF-8".to_owned()),
        }
    }

    /// An error if there are more fields than columns: a comma that should be
    /// inside quotes would cut a name short.
    pub(super) fn expect_columns(self, columns: usize) -> Result<(), String> {
        if self.fields <= columns {
            return Ok(());
        }
        Err(format!(
            "the row has {} fields, expected {columns}: a field with a comma in it needs quotes",
            self.fields
        ))
    }
}

/// Whether the first row names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    Present,
    Absent,
}

/// A row behind the last one, to tell whether the file ends inside a quote.
const SENTINEL: &[u8] = b"\n\0end\0";

/// Opens a CSV file and reads its header.
pub(super) fn open(
    stores: &Stores,
    location: &Location,
    dialect: Dialect,
    header: Header,
) -> Result<Rows<impl Read + use<>>, Error> {
    let file = location.to_string();
    // A carriage return before a line feed is trimmed with other white space: the
    // parser would count lines from between the two.
    let terminator = if dialect.has_line_feeds {
        Terminator::Any(b'\n')
    } else {
        Terminator::CRLF
    };
    let mut csv = ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .terminator(terminator)
        .flexible(true)
        .has_headers(header == Header::Present)
        .from_reader(stores.reader(location)?.chain(SENTINEL));
    let mut columns = Vec::new();
    if header == Header::Present {
        let names = csv.byte_headers();
        let names = names.map_err(|error| Error::label_file(&file, error.to_string()))?;
        columns.extend(names.iter().map(|name| {
            let name = String::from_utf8_lossy(name);
            name.trim_start_matches('\u{feff}').trim().to_owned()
        }));
    }
    Ok(Rows { file, columns, csv })
}

impl<R: Read> Rows<R> {
    /// Calls `take` with each row below the header that is not empty.
    ///
    /// A quote that is opened and not closed swallows the rows below it. So it is
    /// an error if one of the fields `used` runs over several lines, if a row does
    /// and has fewer fields than the header, or if the file ends inside a quote.
    pub(super) fn visit(
        mut self,
        used: &[usize],
        mut take: impl FnMut(Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = |error: csv::Error| Error::label_file(&self.file, error.to_string());
        let mut record = ByteRecord::new();
        while self.csv.read_byte_record(&mut record).map_err(failed)? {
            if record.len() == 1 && record.get(0) == SENTINEL.get(1..) {
                return Ok(());
            }
            let inner: u64 = record.iter().map(line_feeds).sum();
            // The parser's end lies behind the row's own line feed; its start may
            // lie before blank lines. Old Macs have neither.
            let start = record.position().map_or(0, csv::Position::line);
            let line = start.max(self.csv.position().line().saturating_sub(1 + inner));
            let at_end = record.iter().any(|field| field.ends_with(SENTINEL));
            let is_broken = |&index: &usize| record.get(index).map_or(0, line_feeds) > 0;
            let is_short = record.len() < self.columns.len();
            if inner > 0 && (at_end || is_short || used.iter().any(is_broken)) {
                return Err(Error::label_file(
                    &self.file,
                    format!("line {line}: a quote is opened that no other closes on this line"),
                ));
            }
            let is_filled = |field: &[u8]| !field.trim_ascii().is_empty();
            let fields = record
                .iter()
                .rposition(is_filled)
                .map_or(0, |last| last + 1);
            if fields > 0 {
                take(Row {
                    line,
                    fields,
                    record: &record,
                })?;
            }
        }
        Ok(())
    }
}

/// Line feeds in a field.
fn line_feeds(field: &[u8]) -> u64 {
    field.split(|&byte| byte == b'\n').skip(1).count() as u64
}
