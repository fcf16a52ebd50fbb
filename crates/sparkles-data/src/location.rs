//! A parsed address of an image, a table or a folder.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::DataError;

/// A parsed address: a local path or a URL.
///
/// Local paths are absolute, so that a dataset means the same from every
/// working directory. The text form ([`Display`](fmt::Display)) is what tables
/// hold; [`Location::parse`] reads it back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// An absolute path on this machine, in UTF-8.
    Local(PathBuf),
    /// An object in a bucket or on a web server.
    Url(url::Url),
}

impl Location {
    /// Reads a path (relative to the working directory) or a URL with a scheme
    /// of two letters or more.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        if let Some((scheme, _)) = text.split_once("://") {
            let url = url::Url::parse(text).map_err(|error| DataError::BadLocation {
                text: text.to_owned(),
                reason: error.to_string(),
            })?;
            if scheme == "file" {
                let path = url.to_file_path().map_err(|()| DataError::BadLocation {
                    text: text.to_owned(),
                    reason: "a `file` URL holds an absolute path".to_owned(),
                })?;
                return Self::local(path);
            }
            return Ok(Self::Url(url));
        }
        if text.is_empty() {
            return Err(DataError::BadLocation {
                text: String::new(),
                reason: "it is empty".to_owned(),
            });
        }
        Self::local(text)
    }

    /// A path on this machine; a relative one starts at the working directory.
    /// `.` and `..` are resolved by name, symbolic links are kept.
    pub fn local(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let bad = |reason: &str| DataError::BadLocation {
            text: path.display().to_string(),
            reason: reason.to_owned(),
        };
        let absolute = std::path::absolute(path).map_err(|error| bad(&error.to_string()))?;
        let mut clean = PathBuf::new();
        for component in absolute.components() {
            match component {
                std::path::Component::ParentDir => {
                    clean.pop();
                }
                std::path::Component::CurDir => {}
                other => clean.push(other),
            }
        }
        if clean.to_str().is_none() {
            return Err(bad("the path is not UTF-8"));
        }
        Ok(Self::Local(clean))
    }

    /// The location `relative` (with `/` between its parts) below this one.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.join(relative)),
            Self::Url(url) => {
                let mut url = url.clone();
                if let Ok(mut segments) = url.path_segments_mut() {
                    segments.pop_if_empty().extend(relative.split('/'));
                }
                Self::Url(url)
            }
        }
    }

    /// The folder around this location, where there is one.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Local(path) => path.parent().map(|path| Self::Local(path.to_owned())),
            Self::Url(url) => {
                let mut url = url.clone();
                url.path_segments_mut().ok()?.pop_if_empty().pop();
                Some(Self::Url(url))
            }
        }
    }

    /// The path, when this is one on this machine.
    pub fn as_local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Url(_) => None,
        }
    }

    /// The last part of the address: the file's name.
    pub fn file_name(&self) -> String {
        match self {
            Self::Local(path) => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            Self::Url(url) => url
                .path_segments()
                .and_then(|mut segments| segments.next_back().map(str::to_owned))
                .unwrap_or_default(),
        }
    }

    /// The file's name without its last extension.
    pub fn file_stem(&self) -> String {
        let name = self.file_name();
        match name.rfind('.') {
            Some(dot) if dot > 0 => name.get(..dot).unwrap_or(&name).to_owned(),
            _ => name,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(formatter, "{}", path.display()),
            Self::Url(url) => write!(formatter, "{url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in [
            "/a/b c.jpg",
            "/a/#1 100%.png",
            "s3://bucket/key.jpg",
            "/ü/日本.jpg",
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(location.to_string(), text);
            assert_eq!(Location::parse(&location.to_string()).unwrap(), location);
        }
    }

    #[test]
    fn stems_and_names() {
        for (text, stem) in [
            ("/a/b.tar.gz", "b.tar"),
            ("/a/.hidden", ".hidden"),
            ("/a/plain", "plain"),
            ("https://host/x/0a1b.jpg?size=2", "0a1b"),
        ] {
            assert_eq!(Location::parse(text).unwrap().file_stem(), stem, "{text}");
        }
    }

    #[test]
    fn dots_are_resolved() {
        assert_eq!(Location::parse("/a/./b/../c").unwrap().to_string(), "/a/c");
    }

    #[test]
    fn nothing_is_no_location() {
        assert!(Location::parse("").is_err());
        assert!(Location::parse("s3://[").is_err());
    }
}
