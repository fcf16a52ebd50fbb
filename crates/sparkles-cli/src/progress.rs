//! Progress on standard error: a bar where a person looks, nothing elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use sparkles::Progress;

/// Draws one bar a task: done, rate, time left. Hidden where standard error is no
/// terminal; `NO_COLOR` needs no care, for bars have no colour.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        act(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bars {
    fn begin(&self, task: &str, total: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let (bar, template) = if total == 0 {
            (ProgressBar::new_spinner(), "{msg} {elapsed}")
        } else {
            (
                ProgressBar::new(total),
                "{msg} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta} left",
            )
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(task.to_owned());
        self.with(|current| {
            if let Some(before) = current.replace(bar) {
                before.finish_and_clear();
            }
        });
    }

    fn advance(&self, steps: u64) {
        self.with(|current| {
            if let Some(bar) = current {
                bar.inc(steps);
            }
        });
    }

    fn finish(&self) {
        self.with(|current| {
            if let Some(bar) = current.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn warn(&self, message: &str) {
        self.with(|current| match current {
            Some(bar) => bar.suspend(|| eprintln!("warning: {message}")),
            None => eprintln!("warning: {message}"),
        });
    }
}
