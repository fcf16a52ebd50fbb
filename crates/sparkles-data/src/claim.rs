//! One writer at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::{DataError, Location};

/// How often a lock file may vanish between opening and locking it.
const TRIES: usize = 8;

/// A folder that this process alone writes to, until the claim is dropped. The
/// system ends the claim of a process that was killed.
///
/// The folder is made if it is not there. Folders that were made and are empty
/// when the claim ends are removed (but where two processes met, one may stay). Objects in buckets are not claimed: there, a
/// manifest is put on condition.
#[derive(Debug)]
pub struct Claim {
    lock: Option<(File, PathBuf)>,
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
}

impl Claim {
    /// The name of the file that is locked; a killed process leaves it behind.
    pub const FILE: &str = ".lock";

    /// Claims a folder; fails with [`DataError::Locked`] if another process has.
    pub fn take(folder: &Location) -> Result<Self, DataError> {
        let Some(path) = folder.as_local() else {
            return Ok(Self {
                lock: None,
                made: Vec::new(),
            });
        };
        let failed = |source| DataError::Io {
            action: "create",
            location: folder.to_string(),
            source,
        };
        let mut claim = Self {
            lock: None,
            made: path
                .ancestors()
                .take_while(|path| !path.exists())
                .map(Path::to_owned)
                .collect(),
        };
        let file = path.join(Self::FILE);
        for _ in 0..TRIES {
            fs::create_dir_all(path).map_err(failed)?;
            let lock = match File::create(&file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                lock => lock.map_err(failed)?,
            };
            match lock.try_lock() {
                // Whoever had it may have removed the file since it was opened.
                Ok(()) if is_same(&lock, &file) => {
                    claim.lock = Some((lock, file));
                    return Ok(claim);
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Err(DataError::Locked {
            location: folder.to_string(),
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.lock {
            // While it is locked, so that nobody removes the file of another.
            let _ = fs::remove_file(path);
        }
        // A folder with something in it stays, and so do those around it.
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

/// Whether an open file is the one at `path`.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_same(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_left() {
        let folder = tempfile::tempdir().unwrap();
        let deep = Location::local(folder.path().join("a/b/c")).unwrap();
        let claim = Claim::take(&deep).unwrap();
        assert!(matches!(Claim::take(&deep), Err(DataError::Locked { .. })));
        drop(claim);
        assert!(!folder.path().join("a").exists());

        let claim = Claim::take(&deep).unwrap();
        fs::write(folder.path().join("a/b/x"), "kept").unwrap();
        drop(claim);
        assert!(folder.path().join("a/b/x").exists());
        assert!(!folder.path().join("a/b/c").exists());
    }

    #[test]
    fn one_is_inside_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let place = Location::local(folder.path().join("x")).unwrap();
        let inside = std::sync::atomic::AtomicUsize::new(0);
        let taken = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(claim) = Claim::take(&place) {
                            use std::sync::atomic::Ordering::SeqCst;
                            assert_eq!(inside.fetch_add(1, SeqCst), 0);
                            taken.fetch_add(1, SeqCst);
                            inside.fetch_sub(1, SeqCst);
                            drop(claim);
                        }
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
        assert!(!folder.path().join("x").join(Claim::FILE).exists());
    }
}
