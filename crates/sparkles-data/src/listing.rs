//! From what a user names to the files that it means.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use walkdir::WalkDir;

use crate::{DataError, Location};

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListingEntry {
    /// Where it lives.
    pub location: Location,
    /// Its path below the folder that was named, with `/` between parts; the
    /// file's name where a file was named.
    pub relative: String,
}

/// Something that was found but cannot be a sample, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// Its address, as well as text can say it.
    pub location: String,
    /// Why it is none.
    pub message: String,
    /// Whether nothing is there at all.
    pub missing: bool,
}

/// What a folder, a file or a glob means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The folder that relative paths start from.
    pub root: Option<Location>,
    /// The files, sorted by location.
    pub entries: Vec<ListingEntry>,
    /// What was found but cannot be read as a file.
    pub unlisted: Vec<Unlisted>,
}

/// Lists a folder (with all that is below it), a file, or a glob (`*`, `?`,
/// `[…]`, `{a,b}` and `**`). Symbolic links are followed; a loop is reported.
///
/// A name that exists is taken as it is, whatever characters it has.
pub fn list(text: &str) -> Result<Listing, DataError> {
    let location = Location::parse(text)?;
    let Location::Local(path) = &location else {
        let Location::Url(url) = &location else {
            return Ok(Listing::default());
        };
        return Err(DataError::UnsupportedScheme {
            location: text.to_owned(),
            scheme: url.scheme().to_owned(),
        });
    };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => walk(path, |_| true),
        Ok(metadata) if metadata.is_file() => Ok(Listing {
            root: path
                .parent()
                .map(|parent| Location::Local(parent.to_owned())),
            entries: vec![ListingEntry {
                relative: location.file_name(),
                location,
            }],
            unlisted: Vec::new(),
        }),
        Ok(_) => Ok(Listing {
            unlisted: vec![Unlisted {
                location: location.to_string(),
                message: "it is neither a file nor a folder".to_owned(),
                missing: false,
            }],
            ..Listing::default()
        }),
        Err(_) if text.contains(['*', '?', '[', '{']) => glob(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(DataError::Missing {
            location: text.to_owned(),
        }),
        Err(source) => Err(DataError::Io {
            action: "list",
            location: text.to_owned(),
            source,
        }),
    }
}

fn glob(pattern: &Path) -> Result<Listing, DataError> {
    let text = pattern.to_string_lossy();
    let matcher = GlobBuilder::new(&text)
        .literal_separator(true)
        .build()
        .map_err(|source| DataError::BadGlob {
            pattern: text.to_string(),
            source,
        })?
        .compile_matcher();
    // The walk starts at the longest folder without a wildcard.
    let base: PathBuf = pattern
        .components()
        .take_while(|component| {
            !component
                .as_os_str()
                .to_string_lossy()
                .contains(['*', '?', '[', '{'])
        })
        .collect();
    if !base.is_dir() {
        return Err(DataError::Missing {
            location: base.display().to_string(),
        });
    }
    walk(&base, |path| matcher.is_match(path))
}

fn walk(root: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Listing, DataError> {
    let mut entries = BTreeSet::new();
    let mut unlisted = Vec::new();
    for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root);
                if path == root {
                    return Err(DataError::Io {
                        action: "list",
                        location: root.display().to_string(),
                        source: error.into(),
                    });
                }
                if wanted(path) {
                    // A dangling link has nothing behind it.
                    let missing = error
                        .io_error()
                        .is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound);
                    unlisted.push(Unlisted {
                        location: path.display().to_string(),
                        message: match error.io_error() {
                            Some(_) if missing => "a link to what does not exist".to_owned(),
                            Some(error) => error.to_string(),
                            None => "a link to a folder around it".to_owned(),
                        },
                        missing,
                    });
                }
                continue;
            }
        };
        let path = entry.path();
        if entry.file_type().is_dir() || !wanted(path) {
            continue;
        }
        let refuse = |message: &str| Unlisted {
            location: path.display().to_string(),
            message: message.to_owned(),
            missing: false,
        };
        if !entry.file_type().is_file() {
            unlisted.push(refuse("it is neither a file nor a folder"));
            continue;
        }
        let relative = path.strip_prefix(root).unwrap_or(path);
        match (relative.to_str(), path.to_str()) {
            (Some(_), Some(text)) if text.contains(char::is_control) => {
                unlisted.push(refuse("its name holds a control character"));
            }
            (Some(relative), Some(_)) => {
                entries.insert(ListingEntry {
                    relative: relative.replace(std::path::MAIN_SEPARATOR, "/"),
                    location: Location::Local(path.to_owned()),
                });
            }
            _ => unlisted.push(refuse("its name is not UTF-8")),
        }
    }
    Ok(Listing {
        root: Some(Location::Local(root.to_owned())),
        entries: entries.into_iter().collect(),
        unlisted,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn relatives(text: &str) -> Vec<String> {
        let listing = list(text).unwrap();
        listing
            .entries
            .into_iter()
            .map(|entry| entry.relative)
            .collect()
    }

    #[test]
    fn folders_files_and_globs() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["b/2.jpg", "a/1.jpg", "a/x.txt", "3.jpg", "odd[1].jpg"] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let text = |tail: &str| format!("{}/{tail}", root.display());
        assert_eq!(
            relatives(root.to_str().unwrap()),
            ["3.jpg", "a/1.jpg", "a/x.txt", "b/2.jpg", "odd[1].jpg"]
        );
        assert_eq!(relatives(&text("a/1.jpg")), ["1.jpg"]);
        assert_eq!(relatives(&text("*.jpg")), ["3.jpg", "odd[1].jpg"]);
        assert_eq!(relatives(&text("**/*.jpg")).len(), 4);
        assert_eq!(relatives(&text("{a,b}/*.jpg")), ["a/1.jpg", "b/2.jpg"]);
        assert_eq!(relatives(&text("odd[1].jpg")), ["odd[1].jpg"]);
        assert!(matches!(
            list(&text("none")),
            Err(DataError::Missing { .. })
        ));
        assert_eq!(relatives(&text("*.png")), Vec::<String>::new());
        assert!(matches!(
            list("s3://bucket/x"),
            Err(DataError::UnsupportedScheme { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_said() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("dangling.jpg")).unwrap();
        std::os::unix::fs::symlink(root, root.join("loop")).unwrap();
        for name in [b"\xff.jpg".as_slice(), b"line\nbreak.jpg"] {
            std::fs::write(root.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
        }
        let listing = list(root.to_str().unwrap()).unwrap();
        assert!(listing.entries.is_empty());
        let missing: Vec<bool> = listing.unlisted.iter().map(|entry| entry.missing).collect();
        assert_eq!(listing.unlisted.len(), 4, "{:?}", listing.unlisted);
        assert_eq!(missing.iter().filter(|&&missing| missing).count(), 1);
    }
}
