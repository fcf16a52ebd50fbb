//! Where samples live: locations and object stores, the dataset's tables in
//! Parquet, the manifests that name them, and the ledger of rejects.
//!
//! A [`Dataset`] is a directory of plain Parquet files that nothing loses and
//! pandas, DuckDB, Polars and Spark can read. Its files are never changed: a
//! step writes new ones and then commits them by replacing one small manifest
//! atomically. What a manifest does not name does not exist.
//!
//! This crate knows nothing of pixels, of learning or of SQL, and has no
//! asynchronous interface: object stores are asynchronous, so [`Stores`] owns
//! a small runtime of its own and everything that calls it is synchronous.
//!
//! ```
//! use sparkles_data::{Dataset, DatasetBuilder, Label, Location, Sample, Stores};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let root = Location::local(folder.path().join("cars.sparkles"))?;
//! let stores = Stores::new()?;
//!
//! let mut builder = DatasetBuilder::new(&stores, &root)?;
//! builder.write_samples(&[Sample {
//!     sample_id: "0a1b".into(),
//!     location: "/photos/0a1b.jpg".into(),
//!     ..Sample::default()
//! }])?;
//! builder.write_labels(&[Label {
//!     sample_id: "0a1b".into(),
//!     source: "verification".into(),
//!     label_name: "/m/0k4j".into(),
//!     confidence: 1.0,
//! }])?;
//! builder.commit()?;
//!
//! let dataset = Dataset::open(&stores, &root)?;
//! assert_eq!(dataset.samples()?.len(), 1);
//! # Ok(())
//! # }
//! ```

mod claim;
mod dataset;
mod error;
mod features;
mod listing;
mod location;
mod manifest;
mod reject;
mod stores;
mod table;

pub use claim::Claim;
pub use dataset::{Dataset, DatasetBuilder};
pub use error::DataError;
pub use features::{
    Compaction, FeatureIndexRow, FeatureInfo, FeatureRow, FeatureStore, FeatureView, PartReceipt,
    part_name, read_features, write_part,
};
pub use listing::{Listing, ListingEntry, Unlisted, list};
pub use location::Location;
pub use manifest::{DatasetManifest, FeatureManifest, IngestCounts, PartEntry};
pub use reject::{Reject, RejectReason, Stage};
pub use stores::{Fetch, ObjectReader, ObjectVersion, Stores};
pub use table::{Class, Label, Sample, TextTable, read_batches, read_text_table};
