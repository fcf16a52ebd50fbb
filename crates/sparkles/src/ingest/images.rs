//! From what a user names as images to candidates with ids.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use regex::Regex;
use sparkles_data::{DataError, ListingEntry, Location, Reject, RejectReason, Stores, list};

use super::source;
use crate::Error;

/// A file that may be an image.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Where it lives.
    pub(crate) location: Location,
    /// The same as text: the location column.
    pub(crate) address: String,
    /// Its path below the root, with `/` between parts.
    pub(crate) relative: String,
    /// The folder that is its class, where folders are classes: the first below
    /// the folder that was named, or that folder itself where several were.
    pub(super) class_folder: Option<String>,
}

/// A file that was found, before its path is cut to the common root.
struct Found {
    relative: Option<String>,
    class_folder: Option<String>,
}

fn folder_name(path: Option<&Path>) -> Option<String> {
    path?.file_name()?.to_str().map(str::to_owned)
}

/// How a sample gets its id.
#[derive(Debug, Clone)]
pub(crate) enum SampleIds {
    /// The file's name without extension, as Open Images names its rows.
    FileStem,
    /// The path below the root.
    Path,
    /// The first group of a pattern matched against the location; where it does
    /// not match, the file stem.
    Pattern(Regex),
}

impl SampleIds {
    /// Reads back what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "file_stem" => Some(Self::FileStem),
            "path" => Some(Self::Path),
            _ => Regex::new(text.strip_prefix("pattern:")?)
                .ok()
                .map(Self::Pattern),
        }
    }

    pub(crate) fn of(&self, candidate: &Candidate) -> String {
        match self {
            Self::Path => candidate.relative.clone(),
            Self::FileStem => candidate.location.file_stem(),
            Self::Pattern(pattern) => pattern
                .captures(&candidate.address)
                .and_then(|captures| captures.get(1))
                .map_or_else(
                    || candidate.location.file_stem(),
                    |group| group.as_str().to_owned(),
                ),
        }
    }

    pub(super) fn matches(&self, candidate: &Candidate) -> bool {
        match self {
            Self::Pattern(pattern) => pattern
                .captures(&candidate.address)
                .is_some_and(|captures| captures.get(1).is_some()),
            _ => true,
        }
    }
}

impl fmt::Display for SampleIds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileStem => formatter.write_str("file_stem"),
            Self::Path => formatter.write_str("path"),
            Self::Pattern(pattern) => write!(formatter, "pattern:{pattern}"),
        }
    }
}

/// All that was named, each file once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    /// In order of location.
    pub(crate) candidates: Vec<Candidate>,
    /// What was found but cannot even be opened, in order of location.
    pub(crate) rejects: Vec<(Location, Reject)>,
}

/// What becomes of a name that nothing is behind, or nothing that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnMissing {
    /// It is an error.
    Fail,
    /// It is a reject.
    Refuse,
}

/// Lists folders, files, globs and list files. Each file counts once, however
/// often it is named.
pub(crate) fn gather(
    stores: &Stores,
    texts: &[String],
    on_missing: OnMissing,
) -> Result<Gathered, Error> {
    let several = texts.len() > 1;
    let mut found: BTreeMap<Location, Found> = BTreeMap::new();
    let mut roots = Vec::new();
    let mut rejects = BTreeMap::new();
    for text in texts {
        let listing = match list(text) {
            Err(error @ (DataError::Missing { .. } | DataError::Io { .. }))
                if on_missing == OnMissing::Refuse =>
            {
                let reason = match error {
                    DataError::Missing { .. } => RejectReason::Missing,
                    _ => RejectReason::Unreadable,
                };
                let message = crate::error::chain(&error);
                let location = Location::parse(text)?;
                let reject = super::reject(&location.to_string(), None, reason, message);
                rejects.insert(location, reject);
                continue;
            }
            listing => listing?,
        };
        if let [entry] = listing.entries.as_slice()
            && Location::parse(text)? == entry.location
            && let Some(lines) = source::list_file(stores, &entry.location)?
        {
            let folder = entry.location.as_local().and_then(Path::parent);
            roots.extend(folder.map(Path::to_owned));
            for line in lines {
                // Folders and globs may stand in a list too.
                let entries = match list(&line.to_string()) {
                    Ok(listing) if !listing.entries.is_empty() => listing.entries,
                    _ => {
                        let relative = line.file_name();
                        vec![ListingEntry {
                            location: line,
                            relative,
                        }]
                    }
                };
                for entry in entries {
                    let parent = entry.location.as_local().and_then(Path::parent);
                    let class_folder = folder_name(parent);
                    found.entry(entry.location).or_insert(Found {
                        relative: None,
                        class_folder,
                    });
                }
            }
            continue;
        }
        let root = listing.root.as_ref().and_then(Location::as_local);
        roots.extend(root.map(Path::to_owned));
        for entry in listing.entries {
            let class_folder = match entry.relative.split_once('/') {
                Some((folder, _)) => Some(folder.to_owned()),
                None if several => folder_name(root),
                None => None,
            };
            found.entry(entry.location).or_insert(Found {
                relative: Some(entry.relative),
                class_folder,
            });
        }
        for unlisted in listing.unlisted {
            let reason = if unlisted.missing {
                RejectReason::Missing
            } else {
                RejectReason::Unreadable
            };
            let reject = super::reject(&unlisted.location, None, reason, unlisted.message);
            // A name that is not UTF-8 stands where its readable form would.
            rejects.insert(Location::Local(unlisted.location.into()), reject);
        }
    }
    // Several roots: paths start at the folder that holds them all, so that no
    // two files get the same one.
    let root = common_root(&roots);
    let candidates = found
        .into_iter()
        .map(|(location, found)| Candidate {
            address: location.to_string(),
            // What programs keep in hidden folders is nobody's class.
            class_folder: found.class_folder.filter(|name| !name.starts_with('.')),
            relative: found
                .relative
                .filter(|_| !several)
                .unwrap_or_else(|| relative_to(&location, &root)),
            location,
        })
        .collect();
    Ok(Gathered {
        candidates,
        rejects: rejects.into_iter().collect(),
    })
}

/// The path of `location` below `root`, or its whole text where it lies elsewhere.
pub(super) fn relative_to(location: &Location, root: &Path) -> String {
    location
        .as_local()
        .and_then(|path| path.strip_prefix(root).ok())
        .and_then(Path::to_str)
        .map_or_else(|| location.to_string(), str::to_owned)
}

fn common_root(roots: &[PathBuf]) -> PathBuf {
    let Some((first, rest)) = roots.split_first() else {
        return PathBuf::new();
    };
    let mut common = first.clone();
    for root in rest {
        while !root.starts_with(&common) {
            if !common.pop() {
                break;
            }
        }
    }
    common
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn each_file_counts_once_and_roots_are_shared() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a/cat/1.jpg", "b/cat/1.jpg"] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let text = |name: &str| root.join(name).to_str().unwrap().to_owned();
        let stores = Stores::new().unwrap();
        let gather = |texts: &[String]| super::gather(&stores, texts, OnMissing::Fail);
        let gathered = gather(&[text("a"), text("b"), text("a/cat/1.jpg")]).unwrap();
        let relatives: Vec<&str> = gathered
            .candidates
            .iter()
            .map(|candidate| candidate.relative.as_str())
            .collect();
        assert_eq!(relatives, ["a/cat/1.jpg", "b/cat/1.jpg"]);
        let gathered = gather(&[text("a")]).unwrap();
        assert_eq!(gathered.candidates[0].class_folder.as_deref(), Some("cat"));
        let gathered = gather(&[text("a"), text("b")]).unwrap();
        assert_eq!(gathered.candidates[1].class_folder.as_deref(), Some("cat"));
        let gathered = gather(&[text("a/cat"), text("b/cat")]).unwrap();
        assert_eq!(gathered.candidates[1].class_folder.as_deref(), Some("cat"));
    }

    #[test]
    fn ids() {
        let candidate = Candidate {
            location: Location::parse("/p/x/0a1b.jpg").unwrap(),
            address: "/p/x/0a1b.jpg".to_owned(),
            relative: "x/0a1b.jpg".to_owned(),
            class_folder: None,
        };
        for (ids, expected) in [
            ("file_stem", "0a1b"),
            ("path", "x/0a1b.jpg"),
            ("pattern:([0-9a-f]{3})b", "0a1"),
            ("pattern:(zzz)", "0a1b"),
        ] {
            let parsed = SampleIds::parse(ids).unwrap();
            assert_eq!(parsed.to_string(), ids);
            assert_eq!(parsed.of(&candidate), expected);
        }
    }
}
