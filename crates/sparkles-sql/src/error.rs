//! Why a query has no answer.

use datafusion::error::DataFusionError;
use datafusion::object_store;
use sparkles_data::DataError;

use crate::{OpenError, OutputFormat};

/// A failure to open the tables, to answer a query or to write the answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The dataset's manifests could not be read.
    #[error("cannot open the dataset's tables")]
    Dataset(#[from] DataError),
    /// The threads of the query engine could not be started.
    #[error("cannot start the query engine")]
    Runtime {
        /// What the system said.
        source: std::io::Error,
    },
    /// The backbone of `features(…)` and `tag(…)` cannot be used.
    #[error("cannot compute `features(…)` or `tag(…)`")]
    Backbone {
        /// Why.
        source: OpenError,
    },
    /// The text is no SQL.
    #[error("not SQL: {message}")]
    Syntax {
        /// What the parser met, and where.
        message: String,
    },
    /// More nested than the planner can follow.
    #[error("the query is too large: {what}, the limit is {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is allowed.
        limit: usize,
    },
    /// A statement that would change something.
    #[error("`{statement}` is not allowed: tables are read, never written")]
    NotAllowed {
        /// The statement's first word.
        statement: String,
    },
    /// There is no such table.
    #[error("there is no table `{name}`")]
    UnknownTable {
        /// The name in the query.
        name: String,
        /// The names that exist.
        tables: Vec<String>,
    },
    /// The query does not fit the tables: columns, functions, types.
    #[error("{message}")]
    Plan {
        /// What does not fit.
        message: String,
    },
    /// A file that a manifest names is gone.
    #[error("`{location}` is missing: a manifest names it")]
    MissingPart {
        /// The file.
        location: String,
    },
    /// The query needs more memory than it may take.
    #[error("the query needs more than {memory_bytes} bytes of memory: {message}")]
    Memory {
        /// What it may take.
        memory_bytes: u64,
        /// Which step asked for more.
        message: String,
    },
    /// The query failed while it ran.
    #[error("the query failed: {message}")]
    Execution {
        /// What happened.
        message: String,
    },
    /// A name that is no output format.
    #[error("`{text}` is no output format: table, csv, json, parquet")]
    UnknownFormat {
        /// What was given.
        text: String,
    },
    /// The result has a column that the format cannot hold.
    #[error("cannot write the result as {format}: {message}")]
    Encode {
        /// The format.
        format: OutputFormat,
        /// What is in the way.
        message: String,
    },
    /// The result could not be written.
    #[error("cannot write the result")]
    Write {
        /// What the system said; a closed pipe is `BrokenPipe`.
        source: std::io::Error,
    },
}

impl SqlError {
    /// What to try instead, for the line after the error.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownTable { tables, .. } => Some(format!("tables: {}", tables.join(", "))),
            Self::Syntax { .. } => {
                Some("one statement, such as `SELECT * FROM labelled LIMIT 10`".to_owned())
            }
            Self::NotAllowed { .. } => {
                Some("use `SELECT`, `EXPLAIN`, `SHOW TABLES` or `DESCRIBE TABLE`".to_owned())
            }
            Self::Plan { message } if message.contains("no field named") => {
                Some("`DESCRIBE TABLE` lists a table's columns".to_owned())
            }
            Self::MissingPart { .. } => {
                Some("restore the file, or make the dataset or its features anew".to_owned())
            }
            Self::Memory { .. } => {
                Some("raise `--memory`, select fewer columns or add a `LIMIT`".to_owned())
            }
            Self::Encode { format, .. } if *format != OutputFormat::Table => {
                Some("`--format table` shows every type".to_owned())
            }
            _ => None,
        }
    }

    /// Our error for the engine's; `memory_bytes` is what the engine may take.
    pub(crate) fn of(error: &DataFusionError, memory_bytes: u64) -> Self {
        let root = error.find_root();
        match root {
            DataFusionError::SQL(parser, _) => Self::Syntax {
                message: plain(&parser.to_string()),
            },
            DataFusionError::ResourcesExhausted(message) => Self::Memory {
                memory_bytes,
                message: plain(message),
            },
            DataFusionError::ObjectStore(store) => match store.as_ref() {
                object_store::Error::NotFound { path, .. } => Self::MissingPart {
                    location: path.clone(),
                },
                other => Self::Execution {
                    message: plain(&other.to_string()),
                },
            },
            DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Configuration(_)
            | DataFusionError::Diagnostic(..)
            | DataFusionError::Collection(_) => Self::Plan {
                message: plain(&root.strip_backtrace()),
            },
            _ => Self::Execution {
                message: plain(&root.strip_backtrace()),
            },
        }
    }

    /// Our error for one of Arrow that an output format met.
    pub(crate) fn encode(format: OutputFormat, error: &dyn std::fmt::Display) -> Self {
        Self::Encode {
            format,
            message: plain(&error.to_string()),
        }
    }
}

/// The engine's message in house form: without its class, in one line, without
/// a capital or a full stop.
fn plain(message: &str) -> String {
    const CLASSES: [&str; 13] = [
        "Error during planning: ",
        "Schema error: ",
        "SQL error: ",
        "sql parser error: ",
        "Execution error: ",
        "Resources exhausted: ",
        "Arrow error: ",
        "Parquet error: ",
        "External error: ",
        "Internal error: ",
        "Invalid argument error: ",
        "Compute error: ",
        "This feature is not implemented: ",
    ];
    // The engine tries every signature and lists what was wrong with each, then
    // says it once more for people.
    const FOR_PEOPLE: &str = "No function matches the given name and argument types";
    let start = message.find(FOR_PEOPLE).unwrap_or(0);
    let mut text = message.get(start..).unwrap_or(message).to_owned();
    for class in CLASSES {
        text = text.replace(class, "");
    }
    if let Some(end) = text.find("This issue was likely caused by a bug") {
        text.truncate(end);
    }
    let text = text.replace(". Valid fields are ", "; valid fields are ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        // An abbreviation keeps its capitals.
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn messages_in_house_form() {
        for (message, expected) in [
            ("Error during planning: No such thing.", "no such thing"),
            ("Schema error: No field\n named x", "no field named x"),
            (
                "SQL error: sql parser error: Expected: end",
                "expected: end",
            ),
            ("UTF-8 is broken", "UTF-8 is broken"),
            (
                "Error during planning: f failed, errors: Error during planning: no. No function \
                 matches the given name and argument types 'f(Utf8)'.",
                "no function matches the given name and argument types 'f(Utf8)'",
            ),
            (
                "Schema error: No field named x. Valid fields are y.",
                "no field named x; valid fields are y",
            ),
            ("", ""),
        ] {
            assert_eq!(plain(message), expected);
        }
    }
}
