//! Reading and writing objects, wherever they live.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::{DataError, Location};

/// An object on its way, or why it will not come. [`Stores::wait`] gives the result.
pub type Fetch = JoinHandle<Result<(Bytes, ObjectVersion), DataError>>;

/// What identifies the contents of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectVersion {
    /// Length in bytes.
    pub bytes: u64,
    /// The store's own mark of the contents, where it has one.
    pub etag: Option<String>,
    /// Time of the last change, in microseconds since 1970.
    pub modified: i64,
}

impl ObjectVersion {
    /// A local file's mark would hold its inode, which a copy or another mount
    /// changes though the photo is the same: size and time are enough there.
    fn of(location: &Location, meta: &ObjectMeta) -> Self {
        let local = location.as_local().is_some();
        Self {
            bytes: meta.size,
            etag: meta.e_tag.clone().filter(|_| !local),
            modified: meta.last_modified.timestamp_micros(),
        }
    }

    /// One text that changes when size, etag or modification time change.
    pub fn mark(&self) -> String {
        match &self.etag {
            Some(etag) => format!("{}:{etag}", self.bytes),
            None => format!("{}:{}", self.bytes, self.modified),
        }
    }
}

/// The object stores that this process talks to, behind a synchronous face.
///
/// Cheap to clone. Not to be called from inside an asynchronous task.
#[derive(Debug, Clone)]
pub struct Stores {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    local: Arc<LocalFileSystem>,
}

impl Stores {
    /// Starts the I/O runtime: two threads that only move bytes.
    pub fn new() -> Result<Self, DataError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(16)
            .thread_name("sparkles-io")
            .enable_all()
            .build()
            .map_err(|source| DataError::Runtime { source })?;
        Ok(Self {
            inner: Arc::new(Inner {
                runtime,
                local: Arc::new(LocalFileSystem::new()),
            }),
        })
    }

    /// The store that holds `location`, and the path within it.
    pub fn resolve(
        &self,
        location: &Location,
    ) -> Result<(Arc<dyn ObjectStore>, ObjectPath), DataError> {
        match location {
            Location::Local(path) => {
                let object = ObjectPath::from_absolute_path(path).map_err(|error| {
                    DataError::BadLocation {
                        text: location.to_string(),
                        reason: error.to_string(),
                    }
                })?;
                Ok((self.inner.local.clone(), object))
            }
            Location::Url(url) => Err(DataError::UnsupportedScheme {
                location: location.to_string(),
                scheme: url.scheme().to_owned(),
            }),
        }
    }

    /// Size, etag and modification time of the object.
    pub fn version(&self, location: &Location) -> Result<ObjectVersion, DataError> {
        let (store, path) = self.resolve(location)?;
        self.inner
            .runtime
            .block_on(store.head(&path))
            .map(|meta| ObjectVersion::of(location, &meta))
            .map_err(|source| read_error(location, source))
    }

    /// The whole object.
    pub fn read(&self, location: &Location) -> Result<Bytes, DataError> {
        let (store, path) = self.resolve(location)?;
        self.inner
            .runtime
            .block_on(async { store.get(&path).await?.bytes().await })
            .map_err(|source| read_error(location, source))
    }

    /// Begins to fetch the whole object, at most `limit` bytes of it, without
    /// waiting. [`Stores::wait`] gives the result.
    pub fn fetch(&self, location: &Location, limit: u64) -> Fetch {
        let resolved = self.resolve(location);
        let location = location.clone();
        self.inner.runtime.spawn(async move {
            let (store, path) = resolved?;
            let options = GetOptions {
                range: Some(GetRange::Bounded(0..limit.max(1))),
                ..GetOptions::default()
            };
            let fetched = async {
                // An empty object has no first byte to ask for.
                let meta = store.head(&path).await?;
                if meta.size == 0 {
                    return Ok((Bytes::new(), ObjectVersion::of(&location, &meta)));
                }
                let result = store.get_opts(&path, options).await?;
                let version = ObjectVersion::of(&location, &result.meta);
                Ok((result.bytes().await?, version))
            };
            fetched
                .await
                .map_err(|source| read_error(&location, source))
        })
    }

    /// A fetch that has failed already.
    pub fn fail(&self, error: DataError) -> Fetch {
        self.inner.runtime.spawn(async move { Err(error) })
    }

    /// Waits for something that [`Stores::fetch`] began.
    pub fn wait(&self, fetch: Fetch) -> Result<(Bytes, ObjectVersion), DataError> {
        self.inner
            .runtime
            .block_on(fetch)
            .map_err(|error| DataError::Runtime {
                source: std::io::Error::other(error),
            })?
    }

    /// A reader that fetches only the blocks that are asked for.
    pub fn reader(&self, location: &Location) -> Result<BufReader<ObjectReader>, DataError> {
        let version = self.version(location)?;
        let (store, path) = self.resolve(location)?;
        let reader = ObjectReader {
            stores: self.clone(),
            store,
            path,
            version,
            position: 0,
        };
        Ok(BufReader::with_capacity(16 * 1024, reader))
    }

    /// Writes or replaces the object atomically.
    pub fn put(&self, location: &Location, contents: Bytes) -> Result<(), DataError> {
        self.put_with(location, contents, PutMode::Overwrite)
    }

    /// Writes the object; fails with [`DataError::Exists`] if there is one.
    pub fn put_new(&self, location: &Location, contents: Bytes) -> Result<(), DataError> {
        self.put_with(location, contents, PutMode::Create)
    }

    fn put_with(
        &self,
        location: &Location,
        contents: Bytes,
        mode: PutMode,
    ) -> Result<(), DataError> {
        let (store, path) = self.resolve(location)?;
        let result =
            self.inner
                .runtime
                .block_on(store.put_opts(&path, contents.into(), mode.into()));
        match result {
            Ok(_) => Ok(()),
            Err(source) => Err(write_error(location, source)),
        }
    }

    /// Removes the object; one that is gone already is no error.
    pub fn delete(&self, location: &Location) -> Result<(), DataError> {
        if let Some(path) = location.as_local() {
            return match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(DataError::Io {
                    action: "remove",
                    location: location.to_string(),
                    source: error,
                }),
                _ => Ok(()),
            };
        }
        let (store, path) = self.resolve(location)?;
        match self.inner.runtime.block_on(store.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(DataError::Write {
                location: location.to_string(),
                source,
            }),
        }
    }

    /// Refuses a folder to be of this machine that cannot be made, because a part
    /// of its path is a file.
    pub fn check_folder(&self, folder: &Location) -> Result<(), DataError> {
        let mut ancestors = folder.as_local().into_iter().flat_map(Path::ancestors);
        match ancestors.find(|path| path.exists()) {
            Some(path) if !path.is_dir() && Some(path) != folder.as_local() => Err(DataError::Io {
                action: "create",
                location: folder.to_string(),
                source: std::io::ErrorKind::NotADirectory.into(),
            }),
            Some(path) if !path.is_dir() => Err(DataError::Exists {
                location: folder.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Removes a folder of this machine if nothing is in it; elsewhere folders are
    /// only parts of names.
    pub fn remove_empty_folder(&self, folder: &Location) {
        if let Some(path) = folder.as_local() {
            // One that is not empty, or not there, stays as it is.
            let _ = std::fs::remove_dir(path);
        }
    }

    /// The names of the objects directly in a folder, sorted; none if there is
    /// no such folder.
    pub fn names(&self, folder: &Location) -> Result<Vec<String>, DataError> {
        if let Some(path) = folder.as_local() {
            return local_names(path).map_err(|source| DataError::Io {
                action: "list",
                location: folder.to_string(),
                source,
            });
        }
        let (store, path) = self.resolve(folder)?;
        match self
            .inner
            .runtime
            .block_on(store.list_with_delimiter(Some(&path)))
        {
            Ok(result) => {
                let mut names: Vec<String> = result
                    .objects
                    .iter()
                    .filter_map(|meta| meta.location.filename().map(str::to_owned))
                    .collect();
                names.extend(
                    result
                        .common_prefixes
                        .iter()
                        .filter_map(|prefix| prefix.filename().map(str::to_owned)),
                );
                names.sort();
                Ok(names)
            }
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(source) => Err(read_error(folder, source)),
        }
    }
}

/// All names, those of files that a killed process was writing too.
fn local_names(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn read_error(location: &Location, source: object_store::Error) -> DataError {
    if let Some(path) = location.as_local()
        && path.is_dir()
    {
        return DataError::Io {
            action: "read",
            location: location.to_string(),
            source: std::io::ErrorKind::IsADirectory.into(),
        };
    }
    if matches!(source, object_store::Error::NotFound { .. }) {
        return DataError::Missing {
            location: location.to_string(),
        };
    }
    match system_error(&source) {
        Some(error) if error.kind() == std::io::ErrorKind::NotADirectory => DataError::Missing {
            location: location.to_string(),
        },
        Some(error) => DataError::Io {
            action: "read",
            location: location.to_string(),
            source: error,
        },
        None => DataError::Read {
            location: location.to_string(),
            source,
        },
    }
}

fn write_error(location: &Location, source: object_store::Error) -> DataError {
    let text = location.to_string();
    match (source, location) {
        (object_store::Error::AlreadyExists { .. }, _) => DataError::Exists { location: text },
        (source, Location::Local(_)) if let Some(error) = system_error(&source) => DataError::Io {
            action: "write",
            location: text,
            source: error,
        },
        (source, _) => DataError::Write {
            location: text,
            source,
        },
    }
}

/// What the system said, without the store's own words around it, which repeat
/// the path.
fn system_error(error: &object_store::Error) -> Option<std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && let Some(code) = error.raw_os_error()
        {
            return Some(std::io::Error::from_raw_os_error(code));
        }
        source = error.source();
    }
    None
}

/// Reads an object piece by piece: each read asks the store for just that range.
#[derive(Debug)]
pub struct ObjectReader {
    stores: Stores,
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    version: ObjectVersion,
    position: u64,
}

impl ObjectReader {
    /// The version of the object that is read.
    pub fn version(&self) -> &ObjectVersion {
        &self.version
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wanted = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let end = self.position.saturating_add(wanted).min(self.version.bytes);
        if self.position >= end {
            return Ok(0);
        }
        let range = self.position..end;
        let bytes = self
            .stores
            .inner
            .runtime
            .block_on(self.store.get_range(&self.path, range))
            .map_err(std::io::Error::other)?;
        let length = bytes.len().min(buffer.len());
        if let (Some(target), Some(source)) = (buffer.get_mut(..length), bytes.get(..length)) {
            target.copy_from_slice(source);
        }
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, from: SeekFrom) -> std::io::Result<u64> {
        let target = match from {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.version.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::InvalidInput, "seek before the start")
        })?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn odd_file_names_survive() {
        let folder = tempfile::tempdir().unwrap();
        let stores = Stores::new().unwrap();
        for name in [
            "plain.jpg",
            "a b.jpg",
            "#1?.jpg",
            "100%25.jpg",
            "ü日.jpg",
            "a'\"<b>.jpg",
            "back\\slash.jpg",
            "[x]~{y}.jpg",
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, name).unwrap();
            let location = Location::local(&path).unwrap();
            assert_eq!(stores.read(&location).unwrap(), name.as_bytes(), "{name:?}");
            let (bytes, version) = stores.wait(stores.fetch(&location, 1 << 20)).unwrap();
            assert_eq!(bytes, name.as_bytes());
            assert_eq!(version, stores.version(&location).unwrap());
        }
    }

    #[test]
    fn a_reader_reads_and_seeks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let contents: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        std::fs::write(&path, &contents).unwrap();
        let stores = Stores::new().unwrap();
        let mut reader = stores.reader(&Location::local(&path).unwrap()).unwrap();
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, contents);
        reader.seek(SeekFrom::End(-3)).unwrap();
        let mut tail = Vec::new();
        reader.read_to_end(&mut tail).unwrap();
        assert_eq!(tail, contents[contents.len() - 3..]);
    }

    #[test]
    fn missing_and_existing_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let stores = Stores::new().unwrap();
        let location = Location::local(folder.path().join("new")).unwrap();
        assert!(matches!(
            stores.read(&location),
            Err(DataError::Missing { .. })
        ));
        stores.put_new(&location, Bytes::from_static(b"1")).unwrap();
        let again = stores.put_new(&location, Bytes::from_static(b"2"));
        assert!(matches!(again, Err(DataError::Exists { .. })));
        assert_eq!(stores.read(&location).unwrap().as_ref(), b"1");
        stores.delete(&location).unwrap();
        stores.delete(&location).unwrap();
    }
}
