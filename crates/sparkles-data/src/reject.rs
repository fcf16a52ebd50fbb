//! The ledger of inputs that were refused, each with its reason.

use std::fmt;

/// Why an input was refused. Closed: a reader of the ledger can rely on these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// Nothing is at the location.
    Missing,
    /// The location cannot be read: permissions, a device, a store's error.
    Unreadable,
    /// The first bytes are those of no image.
    NotAnImage,
    /// An image in a format, or a variant of one, that is not decoded.
    Unsupported,
    /// Decoding would take more pixels or memory than allowed.
    TooLarge,
    /// The file ends before its pixels do.
    Truncated,
    /// The file contradicts its own format.
    Corrupt,
    /// The backbone gave no finite feature.
    Engine,
    /// A row of a label file that cannot be used.
    BadLabelRow,
}

impl RejectReason {
    /// All reasons, in the order in which they are reported.
    pub const ALL: [Self; 9] = [
        Self::Missing,
        Self::Unreadable,
        Self::NotAnImage,
        Self::Unsupported,
        Self::TooLarge,
        Self::Truncated,
        Self::Corrupt,
        Self::Engine,
        Self::BadLabelRow,
    ];

    /// The word that stands in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::NotAnImage => "not_an_image",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Engine => "engine",
            Self::BadLabelRow => "bad_label_row",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Whether the same bytes may be accepted another time, because the reason
    /// lies outside the file.
    pub fn may_pass_later(self) -> bool {
        matches!(self, Self::Missing | Self::Unreadable | Self::TooLarge)
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The step that refused an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// While images were listed and their headers read.
    Ingest,
    /// While a label file was read.
    Labels,
    /// While features were computed.
    Featurize,
}

impl Stage {
    /// The word that stands in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Labels => "labels",
            Self::Featurize => "featurize",
        }
    }

    /// The stage of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ingest, Self::Labels, Self::Featurize]
            .into_iter()
            .find(|stage| stage.name() == name)
    }
}

/// One refused input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where the input lives.
    pub location: String,
    /// The sample's id, where it has one.
    pub sample_id: Option<String>,
    /// The step that refused it.
    pub stage: Stage,
    /// The feature key, when features were computed.
    pub feature_key: Option<String>,
    /// Why.
    pub reason: RejectReason,
    /// The particulars, in words.
    pub message: String,
    /// The mark of the object's version that was refused, where it was read.
    pub version: Option<String>,
}
