//! Panics of third-party code become errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs third-party code whose panics are caught here, in a
/// decoder or an engine: a panic hook need not report them.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Runs `act`; `None` if it panics.
pub(crate) fn guarded<T>(act: impl FnOnce() -> T) -> Option<T> {
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    GUARDED.set(false);
    result.ok()
}
