//! Panics of third-party code become errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs third-party code whose panics are caught here, in a
/// decoder or an engine (or is a thread of the engine's): a panic hook need not
/// report them.
pub fn is_guarded() -> bool {
    let of_engine = |name: &str| name.starts_with("rten");
    GUARDED.get() || std::thread::current().name().is_some_and(of_engine)
}

/// Runs `act`; `None` if it panics.
pub(crate) fn guarded<T>(act: impl FnOnce() -> T) -> Option<T> {
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    GUARDED.set(before);
    result.ok()
}
