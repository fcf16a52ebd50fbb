//! A repository's part of the cache that the clients of the hub share.
//!
//! `models--OWNER--NAME/` holds the files' bytes in `blobs/SHA256`, links to them in
//! `snapshots/COMMIT/FILE`, and the commit of a branch in `refs/BRANCH`, as
//! <https://huggingface.co/docs/huggingface_hub/guides/manage-cache> says.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo};

use super::{Declared, FILE, HubError};
use crate::Progress;

/// A repository's part of the cache.
pub(super) struct Shelf {
    repository: CacheRepo,
    /// The folder of the repository, and that of its locks.
    folder: PathBuf,
    locks: PathBuf,
}

impl Shelf {
    pub(super) fn new(cache: &Cache, repository: &str) -> Self {
        let repo = Repo::model(repository.to_owned());
        let name = repo.folder_name();
        Self {
            folder: cache.path().join(&name),
            locks: cache.path().join(".locks").join(name),
            repository: cache.repo(repo),
        }
    }

    pub(super) fn blob(&self, sha256: &str) -> PathBuf {
        self.folder.join("blobs").join(sha256)
    }

    pub(super) fn partial(&self, sha256: &str) -> PathBuf {
        self.blob(sha256).with_extension("incomplete")
    }

    /// What the cache holds of the branch, if it says which file that is: names of
    /// blobs are hashes.
    pub(super) fn known(&self) -> Option<Declared> {
        let pointer = self.repository.get(FILE)?;
        let commit = pointer.parent()?.file_name()?.to_str()?.to_owned();
        let blob = fs::canonicalize(&pointer).ok()?;
        let sha256 = blob.file_name()?.to_str()?.to_owned();
        (sha256.len() == 64).then(|| Declared {
            commit,
            sha256,
            length: Some(length(&blob)),
        })
    }

    /// One process fetches a file at a time; whoever comes second waits.
    pub(super) fn lock(
        &self,
        declared: &Declared,
        progress: &dyn Progress,
    ) -> Result<File, HubError> {
        let path = self.locks.join(format!("{}.lock", declared.sha256));
        let failed = |source| cache_error(&path, source);
        fs::create_dir_all(self.folder.join("blobs")).map_err(failed)?;
        fs::create_dir_all(&self.locks).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.begin("waiting for another download of the same file", 0);
                file.lock().map_err(failed)?;
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Ok(file)
    }

    /// Makes the branch point to the commit and the commit's file to the blob.
    pub(super) fn point(&self, declared: &Declared) -> Result<(), HubError> {
        let pointer = self.repository.pointer_path(&declared.commit).join(FILE);
        let failed = |source| cache_error(&pointer, source);
        if !pointer.exists() {
            fs::create_dir_all(pointer.parent().unwrap_or(&self.folder)).map_err(failed)?;
            // Where links are not allowed, the blob is found by its hash alone.
            let _ = link(&Path::new("../../blobs").join(&declared.sha256), &pointer);
        }
        self.repository.create_ref(&declared.commit).map_err(failed)
    }
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(windows)]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(to, at)
}

pub(super) fn cache_error(path: &Path, source: io::Error) -> HubError {
    HubError::Cache {
        path: path.display().to_string(),
        source,
    }
}

/// Length of a file; 0 if it is not there.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
