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

impl Dialect {
    /// Told by the first bytes of a file.
    pub(super) fn of(head: &[u8]) -> Self {
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
        Self {
            delimiter,
            has_line_feeds: head.contains(&b'\n'),
        }
    }
}

/// A CSV file whose header was read.
pub(super) struct Rows<R> {
    file: String,
    /// Names of the columns.
    pub(super) columns: Vec<String>,
    csv: Reader<R>,
}

/// Opens a CSV file and reads its header.
pub(super) fn open(
    stores: &Stores,
    location: &Location,
    dialect: Dialect,
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
        .from_reader(stores.reader(location)?);
    let header = csv
        .byte_headers()
        .map_err(|error| Error::label_file(&file, error.to_string()))?;
    let columns = header
        .iter()
        .map(|name| {
            let name = String::from_utf8_lossy(name);
            name.trim_start_matches('\u{feff}').trim().to_owned()
        })
        .collect();
    Ok(Rows { file, columns, csv })
}

impl<R: Read> Rows<R> {
    /// Calls `take` with the line and the fields of each row below the header.
    ///
    /// A quote that is opened and not closed swallows the rows below it. So it is
    /// an error if one of the fields `used` runs over several lines, or if a row
    /// does and has fewer fields than the header.
    pub(super) fn visit(
        mut self,
        used: &[usize],
        mut take: impl FnMut(u64, &ByteRecord) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut record = ByteRecord::new();
        loop {
            let more = self.csv.read_byte_record(&mut record);
            if !more.map_err(|error| Error::label_file(&self.file, error.to_string()))? {
                return Ok(());
            }
            let inner: u64 = record.iter().map(line_feeds).sum();
            // The parser's start lies before blank lines; its end lies behind the
            // row's own line feed, which the last row may lack.
            let start = record.position().map_or(0, csv::Position::line);
            let line = start.max(self.csv.position().line().saturating_sub(1 + inner));
            let is_broken = |&index: &usize| record.get(index).map_or(0, line_feeds) > 0;
            if inner > 0 && (record.len() < self.columns.len() || used.iter().any(is_broken)) {
                return Err(Error::label_file(
                    &self.file,
                    format!("line {line}: a quote is opened that no other closes on this line"),
                ));
            }
            if record.iter().any(|field| !field.trim_ascii().is_empty()) {
                take(line, &record)?;
            }
        }
    }
}

/// Line feeds in a field.
fn line_feeds(field: &[u8]) -> u64 {
    field.iter().filter(|&&byte| byte == b'\n').count() as u64
}
