//! A file read forward, in small bounded pieces.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::error::ImageError;

/// Bytes that are looked at to tell the format.
const FIRST_BYTES: usize = 32;

/// A reader with the few reads that headers are made of. All of them fail with
/// `UnexpectedEof` at the end of the file.
pub(crate) struct Source<R> {
    reader: R,
}

impl<R: BufRead + Seek> Source<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader }
    }

    /// The first bytes and how many there are; the reader then stands at the
    /// first byte again.
    pub(crate) fn first_bytes(&mut self) -> Result<([u8; FIRST_BYTES], usize), ImageError> {
        let mut first = [0; FIRST_BYTES];
        let mut length = 0;
        while let Some(rest) = first.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ImageError::Io(error)),
            }
        }
        let back = i64::try_from(length).unwrap_or(0);
        self.reader.seek_relative(-back).map_err(ImageError::Io)?;
        Ok((first, length))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn byte(&mut self) -> io::Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16_be(&mut self) -> io::Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32_be(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u16_le(&mut self) -> io::Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32_le(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// `length` bytes, which the file must have: memory grows with what is
    /// there, not with what is announced.
    pub(crate) fn bytes(&mut self, length: u16) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.reader).take(u64::from(length));
        limited.read_to_end(&mut bytes)?;
        if bytes.len() < usize::from(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// Skips `length` bytes, by seeking. Skipping past the end is found by the
    /// next read.
    pub(crate) fn skip(&mut self, length: u64) -> io::Result<()> {
        let length =
            i64::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        self.reader.seek_relative(length)
    }

    /// Goes to an offset from the file's beginning.
    pub(crate) fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(offset)).map(|_| ())
    }

    /// Skips to the byte after the next `wanted` one, over at most `most`
    /// bytes; `None` if it is not found among them.
    pub(crate) fn skip_past(&mut self, wanted: u8, most: usize) -> io::Result<Option<usize>> {
        let mut skipped = 0;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(found) = buffer.iter().position(|byte| *byte == wanted) {
                self.reader.consume(found + 1);
                return Ok((skipped + found <= most).then_some(skipped + found));
            }
            let length = buffer.len();
            self.reader.consume(length);
            skipped += length;
            if skipped > most {
                return Ok(None);
            }
        }
    }
}
