//! Text files: which is a list of locations, and where a line points.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use sparkles_data::{Location, Stores};
use sparkles_vision::{ImageError, read_header};

use crate::Error;

/// Lines that are looked at to tell whether a file is a list.
const LINES_TRIED: usize = 20;
/// Bytes of a line; no location is longer.
const LINE_BYTES: usize = 64 * 1024;

/// The locations that a text file lists, one a line; `None` if the file is no
/// list: an image, binary, or text of which no early line names a file.
pub(super) fn list_file(
    stores: &Stores,
    location: &Location,
) -> Result<Option<Vec<Location>>, Error> {
    let Ok(reader) = stores.reader(location) else {
        return Ok(None);
    };
    // Only what is no image can be a list.
    if !matches!(read_header(reader), Err(ImageError::NotAnImage { .. })) {
        return Ok(None);
    }
    let mut reader = BufReader::new(stores.reader(location)?);
    let mut locations = Vec::new();
    let mut named = false;
    let mut tried = 0;
    loop {
        let mut line = Vec::new();
        let mut limited = reader.by_ref().take(LINE_BYTES as u64);
        match limited.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => return Ok(None),
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            return Ok(None);
        };
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.contains('\0') {
            continue;
        }
        let Ok(found) = resolve(text, location) else {
            return Ok(None);
        };
        tried += 1;
        named |= match &found {
            Location::Local(path) => path.exists() || is_named_as_image(path),
            Location::Url(_) => true,
        };
        if tried == LINES_TRIED && !named {
            return Ok(None);
        }
        locations.push(found);
    }
    Ok(named.then_some(locations))
}

/// Whether a file is called as images are, be it there or not.
fn is_named_as_image(path: &Path) -> bool {
    let extensions = [
        "jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic",
    ];
    let extension = path.extension().and_then(std::ffi::OsStr::to_str);
    extension.is_some_and(|extension| {
        extensions
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// Where a line or cell of the file at `holder` points: a relative path starts at
/// the file's folder, or, where nothing is there, at the working directory.
pub(super) fn resolve(text: &str, holder: &Location) -> Result<Location, Error> {
    let path = Path::new(text);
    if text.contains("://") || path.is_absolute() {
        return Ok(Location::parse(text)?);
    }
    if let Some(folder) = holder.as_local().and_then(Path::parent) {
        let beside = folder.join(path);
        if beside.exists() || !path.exists() {
            return Ok(Location::local(beside)?);
        }
    }
    Ok(Location::parse(text)?)
}
