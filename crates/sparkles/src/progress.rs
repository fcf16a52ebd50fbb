//! What a verb says while it works.

/// Where a verb reports how far it is. The command line draws bars from it.
pub trait Progress: Sync {
    /// A task of `total` steps begins; the one before it is over.
    fn begin(&self, task: &str, total: u64);
    /// `steps` more are done.
    fn advance(&self, steps: u64);
    /// The task is over.
    fn finish(&self);
    /// Something that the user should know, though it stops nothing.
    fn warn(&self, message: &str);
}

/// Reports nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, _steps: u64) {}
    fn finish(&self) {}
    fn warn(&self, _message: &str) {}
}
