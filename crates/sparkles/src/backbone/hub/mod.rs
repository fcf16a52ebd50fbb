//! Published weights from the Hugging Face Hub, through the cache that its other
//! clients share.
//!
//! The address, the headers (`X-Repo-Commit`, `X-Linked-Etag`, `X-Linked-Size`) and
//! the folders of the cache are those of
//! <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>: a file that
//! Python fetched is not fetched again.

mod cache;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use hf_hub::Cache;
use sha2::{Digest, Sha256};
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, StatusCode, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::pull::hexadecimal;
use crate::Progress;
use cache::{Shelf, cache_error, length};

/// The file of weights in a repository of `timm`.
const FILE: &str = "model.safetensors";
/// The longest file that is fetched: VGG-19, the largest network here, has 575 MB.
const MOST_BYTES: u64 = 4 << 30;
/// How often in a row a request may bring nothing.
const TRIES: u32 = 5;
/// How long a connection may say nothing.
const SILENCE: Duration = Duration::from_mins(1);
/// How often an address may point to another of the same host.
const MOST_REDIRECTS: usize = 8;

/// Why published weights cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// No answer, or one that broke off.
    #[error("cannot fetch {url}")]
    Network {
        /// The address.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// An answer that is no file.
    #[error("{url} answers with status {status}")]
    Status {
        /// The address.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// An answer without what a hub says of a file.
    #[error("{url} declares no {what}")]
    Undeclared {
        /// The address.
        url: String,
        /// What is missing.
        what: &'static str,
    },
    /// A file that is longer than it may be.
    #[error("{url} is longer than the {most} bytes that it may have")]
    TooLong {
        /// The address.
        url: String,
        /// What it may have.
        most: u64,
    },
    /// An answer that ends too soon, again and again.
    #[error("{url} ends after {found} of {declared} bytes")]
    TooShort {
        /// The address.
        url: String,
        /// What the hub declares.
        declared: u64,
        /// What came.
        found: u64,
    },
    /// A file that is not the declared one.
    #[error("{url} has sha256 {found}, but {declared} is declared")]
    WrongHash {
        /// The address.
        url: String,
        /// What the hub declares.
        declared: String,
        /// What came.
        found: String,
    },
    /// There is no network, by the user's word, and the file was never fetched.
    #[error("{url} is not in the cache, and `HF_HUB_OFFLINE` is set")]
    Offline {
        /// The address.
        url: String,
    },
    /// The cache cannot be used.
    #[error("cannot write to the cache of the hub, `{path}`")]
    Cache {
        /// The file.
        path: String,
        /// What happened.
        source: io::Error,
    },
    /// There is no folder for the user's caches.
    #[error("cannot tell where the cache of the hub is: there is no home folder")]
    NoHome,
}

impl HubError {
    /// Whether the next try may succeed.
    fn is_passing(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            Self::Status { status, .. } => *status >= 500 || [408, 416, 425, 429].contains(status),
            _ => false,
        }
    }

    /// Whether there is nobody to ask again: the user waits for nothing then.
    fn is_unreachable(&self) -> bool {
        let Self::Network { source, .. } = self else {
            return false;
        };
        match &**source {
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
            ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
            _ => false,
        }
    }
}

/// A file of the hub, verified.
#[derive(Debug)]
pub(super) struct HubFile {
    pub(super) bytes: Vec<u8>,
    /// Declared by the hub and true of `bytes`.
    pub(super) sha256: String,
    /// The commit of the repository.
    pub(super) commit: String,
}

/// What the hub says of a file before it is fetched.
struct Declared {
    commit: String,
    sha256: String,
    length: Option<u64>,
}

/// A hub: an address, a cache, a token.
pub(super) struct Hub {
    endpoint: String,
    cache: Cache,
    token: Option<String>,
    offline: bool,
    agent: Agent,
    /// Before the first repetition; the second waits twice as long, and so on.
    pause: Duration,
}

impl Hub {
    /// The hub of the user's environment: `HF_ENDPOINT`, `HF_TOKEN` or the token
    /// that a login left, `HF_HUB_CACHE` or `HF_HOME`, `HF_HUB_OFFLINE`; a proxy by
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub(super) fn from_env() -> Result<Self, HubError> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_on = |name| {
            set(name).is_some_and(|value| {
                ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str())
            })
        };
        let folder = set("HF_HUB_CACHE");
        if folder.is_none() && set("HF_HOME").is_none() && directories::BaseDirs::new().is_none() {
            return Err(HubError::NoHome);
        }
        let home = || Cache::from_env();
        let token = if is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            None
        } else {
            set("HF_TOKEN").or_else(|| home().token())
        };
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Ok(Self::new(
            &endpoint,
            folder.map_or_else(home, |folder| Cache::new(folder.into())),
            token.map(|token| token.trim().to_owned()),
            is_on("HF_HUB_OFFLINE"),
            SILENCE,
        ))
    }

    fn new(
        endpoint: &str,
        cache: Cache,
        token: Option<String>,
        offline: bool,
        silence: Duration,
    ) -> Self {
        // The certificates of the system, which know the proxies of companies.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_connect(Some(silence / 2))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .user_agent(concat!("sparkles/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache,
            token,
            offline,
            agent,
            pause: silence / 60,
        }
    }

    /// Where the weights of a repository are.
    pub(super) fn url(&self, repository: &str) -> String {
        format!("{}/{repository}/resolve/main/{FILE}", self.endpoint)
    }

    /// The weights of a repository: from the cache, or fetched into it. A fetch that
    /// broke off goes on where it ended.
    pub(super) fn fetch(
        &self,
        repository: &str,
        progress: &dyn Progress,
    ) -> Result<HubFile, HubError> {
        let url = self.url(repository);
        let shelf = Shelf::new(&self.cache, repository);
        let declared = if self.offline {
            shelf
                .known()
                .ok_or(HubError::Offline { url: url.clone() })?
        } else {
            match (self.declared(&url), shelf.known()) {
                (Err(error), Some(known)) if error.is_passing() => {
                    progress.warn(&format!("{error}: the file in the cache is taken"));
                    known
                }
                (declared, _) => declared?,
            }
        };
        let blob = shelf.blob(&declared.sha256);
        if let Ok(bytes) = fs::read(&blob) {
            if sha256(&bytes) == declared.sha256 {
                shelf.point(&declared)?;
                return Ok(declared.file(bytes));
            }
            progress.warn("the file in the cache is damaged: it is fetched again");
            fs::remove_file(&blob).map_err(|source| cache_error(&blob, source))?;
        }
        if self.offline {
            return Err(HubError::Offline { url });
        }
        let _lock = shelf.lock(&declared, progress)?;
        let partial = shelf.partial(&declared.sha256);
        let was_begun = length(&partial) > 0;
        let mut bytes = self.receive_all(&url, &declared, &partial, progress);
        if was_begun && matches!(bytes, Err(HubError::WrongHash { .. })) {
            // What was there before was not the beginning of this file.
            bytes = self.receive_all(&url, &declared, &partial, progress);
        }
        let bytes = bytes?;
        fs::rename(&partial, &blob).map_err(|source| cache_error(&blob, source))?;
        shelf.point(&declared)?;
        Ok(declared.file(bytes))
    }

    /// Asks what the file is. The answer of the hub itself says so, not that of the
    /// host that it sends us to for the bytes.
    fn declared(&self, url: &str) -> Result<Declared, HubError> {
        let mut tries = 1;
        loop {
            match self.ask(url) {
                Err(error) if error.is_passing() && tries < TRIES && !error.is_unreachable() => {
                    std::thread::sleep(self.pause * tries);
                    tries += 1;
                }
                declared => return declared,
            }
        }
    }

    fn ask(&self, url: &str) -> Result<Declared, HubError> {
        let mut at = url.to_owned();
        let mut knows_head = true;
        for _ in 0..MOST_REDIRECTS {
            let request = if knows_head {
                self.agent.head(&at)
            } else {
                self.agent.get(&at).header(header::RANGE, "bytes=0-0")
            };
            let request = request
                .config()
                .max_redirects(0)
                .build()
                // The length of the file, not of what a proxy packs.
                .header(header::ACCEPT_ENCODING, "identity");
            let answer = self.authorised(request).call().map_err(network(url))?;
            let status = answer.status();
            if status.is_redirection()
                && let Some(next) = same_host(&at, answer.headers())
            {
                at = next;
                continue;
            }
            let no_head = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED];
            if knows_head && no_head.contains(&status) {
                knows_head = false;
                continue;
            }
            if !status.is_success() && !status.is_redirection() {
                return Err(refused(url, status));
            }
            return declaration(url, status, answer.headers());
        }
        Err(refused(url, StatusCode::LOOP_DETECTED))
    }

    fn authorised<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// Fetches what is missing of a file and verifies the whole.
    fn receive_all(
        &self,
        url: &str,
        declared: &Declared,
        partial: &Path,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, HubError> {
        let most = declared.length.unwrap_or(MOST_BYTES);
        progress.begin("downloading, bytes", declared.length.unwrap_or(0));
        progress.advance(length(partial));
        let mut furthest = length(partial);
        let mut tries = 1;
        loop {
            let received = self.receive(url, most, partial, progress);
            let is_whole = match declared.length {
                Some(length) => length == self::length(partial),
                None => received.is_ok(),
            };
            if is_whole {
                break;
            }
            match received {
                Err(error) if !error.is_passing() => return Err(error),
                Err(error) if tries >= TRIES => return Err(error),
                Ok(()) if tries >= TRIES => {
                    return Err(HubError::TooShort {
                        url: url.to_owned(),
                        declared: most,
                        found: length(partial),
                    });
                }
                _ => {}
            }
            if length(partial) > furthest {
                furthest = length(partial);
                tries = 1;
            } else {
                std::thread::sleep(self.pause * tries);
                tries += 1;
            }
        }
        progress.finish();
        let bytes = fs::read(partial).map_err(|source| cache_error(partial, source))?;
        let found = sha256(&bytes);
        if found != declared.sha256 {
            fs::remove_file(partial).map_err(|source| cache_error(partial, source))?;
            return Err(HubError::WrongHash {
                url: url.to_owned(),
                declared: declared.sha256.clone(),
                found,
            });
        }
        Ok(bytes)
    }

    /// One request for the rest of a file; what comes is kept, even if it breaks off.
    fn receive(
        &self,
        url: &str,
        most: u64,
        partial: &Path,
        progress: &dyn Progress,
    ) -> Result<(), HubError> {
        let failed = |source| cache_error(partial, source);
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(partial)
            .map_err(failed)?;
        let start = length(partial);
        if start > 0 && start == most {
            return Ok(());
        }
        let mut request = self
            .agent
            .get(url)
            .header(header::ACCEPT_ENCODING, "identity");
        if start > 0 {
            request = request.header(header::RANGE, format!("bytes={start}-"));
        }
        let answer = self.authorised(request).call().map_err(network(url))?;
        let status = answer.status();
        if !goes_on_at(&answer, start) {
            if status == StatusCode::OK || status == StatusCode::RANGE_NOT_SATISFIABLE {
                // The whole file comes again, or what is here is no part of it.
                file.set_len(0).map_err(failed)?;
            }
            if status != StatusCode::OK {
                return Err(refused(url, status));
            }
        }
        let mut written = length(partial);
        let mut body = answer.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = body
                .read(&mut buffer)
                .map_err(|error| network(url)(ureq::Error::Io(error)))?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            written += chunk.len() as u64;
            if written > most {
                drop(file);
                let _ = fs::remove_file(partial);
                return Err(HubError::TooLong {
                    url: url.to_owned(),
                    most,
                });
            }
            file.write_all(chunk).map_err(failed)?;
            progress.advance(chunk.len() as u64);
        }
        Ok(())
    }
}

impl Declared {
    fn file(self, bytes: Vec<u8>) -> HubFile {
        HubFile {
            bytes,
            sha256: self.sha256,
            commit: self.commit,
        }
    }
}

/// Whether an answer brings the bytes from `start` on.
fn goes_on_at(answer: &Response<Body>, start: u64) -> bool {
    let range = answer
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    answer.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}

/// What the headers of an answer declare.
fn declaration(url: &str, status: StatusCode, headers: &HeaderMap) -> Result<Declared, HubError> {
    let value = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?.trim();
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        (!text.is_empty()).then(|| text.to_owned())
    };
    let undeclared = |what| HubError::Undeclared {
        url: url.to_owned(),
        what,
    };
    // Both become names of files.
    let is_hexadecimal = |text: &String| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = value("x-repo-commit")
        .filter(is_hexadecimal)
        .ok_or_else(|| undeclared("commit (`X-Repo-Commit`)"))?;
    let sha256 = value("x-linked-etag")
        .or_else(|| value("etag"))
        .filter(is_hexadecimal)
        .filter(|hash| hash.len() == 64)
        .ok_or_else(|| undeclared("sha256 (`X-Linked-Etag`)"))?
        .to_ascii_lowercase();
    // The length of a redirection is that of its own text, that of a range follows
    // its bounds.
    let length = value("x-linked-size")
        .or_else(|| match status {
            StatusCode::PARTIAL_CONTENT => {
                value("content-range").and_then(|range| Some(range.rsplit_once('/')?.1.to_owned()))
            }
            _ => value("content-length").filter(|_| status.is_success()),
        })
        .and_then(|length| length.parse().ok());
    if length.is_some_and(|length| length > MOST_BYTES) {
        return Err(HubError::TooLong {
            url: url.to_owned(),
            most: MOST_BYTES,
        });
    }
    Ok(Declared {
        commit,
        sha256,
        length,
    })
}

/// Where a redirection leads, if that is on the same host.
fn same_host(url: &str, headers: &HeaderMap) -> Option<String> {
    let next = headers.get(header::LOCATION)?.to_str().ok()?;
    let from: Uri = url.parse().ok()?;
    let to: Uri = next.parse().ok()?;
    match to.authority() {
        None if next.starts_with('/') => Some(format!(
            "{}://{}{next}",
            from.scheme_str()?,
            from.authority()?
        )),
        Some(authority) if Some(authority) == from.authority() => Some(next.to_owned()),
        _ => None,
    }
}

fn network(url: &str) -> impl Fn(ureq::Error) -> HubError {
    let url = url.to_owned();
    move |source| HubError::Network {
        url: url.clone(),
        source: Box::new(source),
    }
}

fn refused(url: &str, status: StatusCode) -> HubError {
    HubError::Status {
        url: url.to_owned(),
        status: status.as_u16(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}
