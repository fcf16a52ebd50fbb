//! What can go wrong between a table and the place where it lives.

use parquet::errors::ParquetError;

/// A failure to find, read or write a part of a dataset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// An address that is none.
    #[error("`{text}` is no location: {reason}")]
    BadLocation {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A kind of address that this build cannot open.
    #[error("cannot open `{location}`: locations of scheme `{scheme}` are not supported")]
    UnsupportedScheme {
        /// The address.
        location: String,
        /// Its scheme.
        scheme: String,
    },
    /// Nothing is at this location.
    #[error("`{location}` does not exist")]
    Missing {
        /// The address.
        location: String,
    },
    /// The object could not be read.
    #[error("cannot read `{location}`")]
    Read {
        /// The address.
        location: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// The object could not be written.
    #[error("cannot write `{location}`")]
    Write {
        /// The address.
        location: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// A file system call failed.
    #[error("cannot {action} `{location}`")]
    Io {
        /// The verb: "list", "lock", "create".
        action: &'static str,
        /// The address.
        location: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A glob that cannot be parsed.
    #[error("`{pattern}` is no glob")]
    BadGlob {
        /// The pattern.
        pattern: String,
        /// Why not.
        source: globset::Error,
    },
    /// A folder without `dataset.json`.
    #[error("`{location}` is no dataset: it holds no `dataset.json`")]
    NotADataset {
        /// The folder.
        location: String,
    },
    /// A manifest written by a newer version.
    #[error("`{location}` has format {found}; this version reads up to format {supported}")]
    NewerFormat {
        /// The manifest.
        location: String,
        /// Its format version.
        found: u32,
        /// The newest format version that is understood.
        supported: u32,
    },
    /// Something is in the way of a new dataset.
    #[error("`{location}` already exists")]
    Exists {
        /// The folder.
        location: String,
    },
    /// A file whose contents are not what its manifest says, or cannot be parsed.
    #[error("`{location}` is corrupt: {reason}")]
    Corrupt {
        /// The file.
        location: String,
        /// What is wrong.
        reason: String,
    },
    /// A file that its manifest names is gone.
    #[error("`{location}` is missing, though a manifest names it")]
    MissingPart {
        /// The file.
        location: String,
    },
    /// A table could not be encoded or decoded.
    #[error("`{location}` cannot be read or written as Parquet")]
    Parquet {
        /// The file.
        location: String,
        /// What Parquet said.
        source: ParquetError,
    },
    /// Another process writes to the same folder.
    #[error("another process is writing to `{location}`")]
    Locked {
        /// The folder.
        location: String,
    },
    /// A column is missing or has another type than expected.
    #[error("`{location}`: column `{column}` {reason}")]
    Column {
        /// The file.
        location: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The runtime for object stores could not be started.
    #[error("cannot start the I/O runtime")]
    Runtime {
        /// What the system said.
        source: std::io::Error,
    },
}
