//! The command line of sparkles: arguments, progress, messages. No logic.
//!
//! Standard output carries results only; progress and messages go to standard
//! error. Exit status: 0 done, 1 failed, 2 wrong usage.

mod args;
mod demo;
mod output;
mod progress;
mod text;
mod verbs;

use std::process::ExitCode;

use clap::Parser;
use sparkles::Stores;

use args::{Arguments, Verb};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic of a decoder or the engine is caught and becomes an error.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !sparkles::is_guarded() {
            report(panic);
        }
    }));
    match run(&arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{}", message(arguments.verb.name(), &error));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &Verb) -> anyhow::Result<()> {
    let stores = Stores::new().map_err(sparkles::Error::from)?;
    match verb {
        Verb::Demo(arguments) => demo::run(&stores, arguments),
        Verb::Ingest(arguments) => verbs::ingest(&stores, arguments),
        Verb::Explore(arguments) => verbs::explore(&stores, arguments),
        #[cfg(feature = "sql")]
        Verb::Sql(arguments) => verbs::sql(&stores, arguments),
        Verb::Featurize(arguments) => verbs::featurize(&stores, arguments),
        Verb::Train(arguments) => verbs::train(&stores, arguments),
        Verb::Evaluate(arguments) => verbs::evaluate(&stores, arguments),
        Verb::Predict(arguments) => verbs::predict(&stores, arguments),
        Verb::Tag(arguments) => verbs::tag(&stores, arguments),
        Verb::Model(arguments) => verbs::model(&stores, &arguments.action),
        Verb::Backbone(arguments) => verbs::backbone(&stores, &arguments.action),
    }
}

/// `error: cannot train: …`, the causes on the same line, and what to do.
fn message(verb: &str, error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // A wrapper that only repeats its cause adds nothing.
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    if !text.starts_with("cannot ") {
        text = format!("cannot {verb}: {text}");
    }
    let hint = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<sparkles::Error>())
        .and_then(sparkles::Error::hint);
    #[cfg(feature = "sql")]
    let hint = hint.or_else(|| {
        error
            .chain()
            .find_map(|cause| cause.downcast_ref::<sparkles_sql::SqlError>())
            .and_then(sparkles_sql::SqlError::hint)
    });
    match hint {
        Some(hint) => format!("error: {text}\nhint: {hint}\n"),
        None => format!("error: {text}\n"),
    }
}

/// Whether whoever read our output has gone: no error.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
