//! The dataset's tables as SQL.
//!
//! A [`SqlSession`] opens a dataset's tables for reading and answers `SELECT`,
//! `EXPLAIN`, `SHOW TABLES` and `DESCRIBE`. A [`QueryResult`] is an iterator of
//! Arrow batches that are made while they are taken, in bounded memory; [`write()`]
//! prints one as a table, CSV, JSON or Parquet.
//!
//! | table | what |
//! |---|---|
//! | `samples`, `labels`, `classes` | the tables of the dataset |
//! | `labelled` | the labels of the samples, with readable names |
//! | `rejects` | what ingest and each feature key refused |
//! | `features_BACKBONE` | the feature vectors of one key |
//! | `features` | those of the key with the most rows |
//! | `images` | Spark's image schema, decoded when `data` is selected |
//!
//! Photos are opened only for rows that need them: conditions on the other
//! columns, `LIMIT`, joins and `ORDER BY height LIMIT 3` come first. An order by
//! something computed does not; choose the rows in a subquery then:
//! `SELECT data FROM images WHERE sample_id IN (SELECT sample_id FROM samples
//! ORDER BY random() LIMIT 5)`.
//!
//! With a backbone ([`SqlSession::with_backbone`]) there are two functions:
//! `features(location)`, the feature vector of a photo, and `tag(location)`, the most
//! probable of the backbone's own classes. They open the photo of every row that they
//! are called for, on all threads and in the session's memory.
//!
//! [`tables`] lists their columns. Only files that a manifest names are read, and
//! one that is gone is an error: no row is lost in silence. Names are
//! case-insensitive, `nChannels` needs no quotes.
//!
//! It is not a way to change a dataset: every statement that would write, to the
//! dataset or elsewhere, is refused before it is planned. Nor is it a home for
//! pixels: `images.data` is computed for the query and never stored.
//!
//! # Example
//!
//! ```no_run
//! use sparkles_data::{Dataset, Location, Stores};
//! use sparkles_sql::{OutputFormat, SqlOptions, SqlSession};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dataset = Dataset::open(&Stores::new()?, &Location::parse("cars.sparkles")?)?;
//! let session = SqlSession::open(&dataset, SqlOptions::default())?;
//! let result = session.query(
//!     "SELECT display_name, count(*) AS photos FROM labelled
//!      WHERE confidence = 1 GROUP BY display_name ORDER BY photos DESC",
//! )?;
//! sparkles_sql::write(result, OutputFormat::Table, &mut std::io::stdout())?;
//! # Ok(())
//! # }
//! ```

mod decoding;
mod error;
mod functions;
mod images;
mod output;
mod parts;
mod photos;
mod session;
mod statement;
mod tables;
#[cfg(test)]
mod tests;

pub use error::SqlError;
pub use functions::OpenError;
pub use output::{OutputFormat, write};
pub use session::{QueryResult, SqlOptions, SqlSession};
pub use tables::{TableDescription, tables};
