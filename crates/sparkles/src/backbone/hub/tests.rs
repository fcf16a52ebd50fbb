//! Against a real server on this machine, which answers as the hub does and fails
//! on request.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;
use crate::NoProgress;

const REPOSITORY: &str = "timm/net.tv_in1k";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the next request gets instead of what it asks for.
#[derive(Debug, Clone)]
enum Fault {
    /// This status.
    Status(u16),
    /// The body up to here, and then nothing.
    BreakAfter(usize),
    /// All from the start, though a range was asked for.
    NoRange,
}

struct Site {
    file: Vec<u8>,
    sha256: String,
    /// Faults of the next requests for the file.
    faults: VecDeque<Fault>,
    knows_head: bool,
    /// Where the bytes are, if on another host.
    elsewhere: Option<String>,
    /// Method, target, range and authorisation of every request.
    requests: Vec<[String; 4]>,
}

/// A hub of one file.
struct Server {
    url: String,
    site: Arc<Mutex<Site>>,
}

impl Server {
    fn start(file: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Mutex::new(Site {
            file: file.to_vec(),
            sha256: sha256(file),
            faults: VecDeque::new(),
            knows_head: true,
            elsewhere: None,
            requests: Vec::new(),
        }));
        let shared = Arc::clone(&site);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let site = Arc::clone(&shared);
                std::thread::spawn(move || answer(&stream.unwrap(), &site));
            }
        });
        Self { url, site }
    }

    fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.site.lock().unwrap().faults.extend(faults);
    }

    /// The ranges of the requests for the file since the last call.
    fn ranges(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.site.lock().unwrap().requests);
        let gets = requests.into_iter().filter(|request| request[0] == "GET");
        gets.map(|[_, _, range, _]| range).collect()
    }
}

fn answer(stream: &TcpStream, site: &Mutex<Site>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let first: Vec<&str> = lines[0].split(' ').collect();
        let header = |name: &str| {
            let named = |line: &&String| line.to_ascii_lowercase().starts_with(name);
            let line = lines.iter().find(named);
            line.map_or_else(String::new, |line| line[name.len()..].trim().to_owned())
        };
        let mut site = site.lock().unwrap();
        site.requests.push([
            first[0].to_owned(),
            first[1].to_owned(),
            header("range:"),
            header("authorization:"),
        ]);
        let reply = reply(&mut site, first[0], first[1], &header("range:"));
        drop(site);
        let mut stream = stream;
        if stream.write_all(&reply.0).is_err() || !reply.1 {
            return;
        }
    }
}

/// The bytes of an answer, and whether the connection stays open after them.
fn reply(site: &mut Site, method: &str, target: &str, range: &str) -> (Vec<u8>, bool) {
    let declared = format!(
        "X-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{}\"\r\nX-Linked-Size: {}\r\n",
        site.sha256,
        site.file.len()
    );
    let empty = |status: u16, headers: &str| {
        let text = format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: 0\r\n\r\n");
        (text.into_bytes(), true)
    };
    if !target.ends_with(&format!("/{REPOSITORY}/resolve/main/{FILE}")) {
        return empty(404, "");
    }
    if let Some(other) = &site.elsewhere {
        return empty(302, &format!("{declared}Location: {other}{target}\r\n"));
    }
    if method == "HEAD" {
        if !site.knows_head {
            return empty(405, "");
        }
        let length = site.file.len();
        let text = format!("HTTP/1.1 200 OK\r\n{declared}Content-Length: {length}\r\n\r\n");
        return (text.into_bytes(), true);
    }
    let fault = site.faults.pop_front();
    if let Some(Fault::Status(status)) = fault {
        return empty(status, "");
    }
    let bounds = range.strip_prefix("bytes=").and_then(|r| r.split_once('-'));
    let bounds = bounds.filter(|_| !matches!(fault, Some(Fault::NoRange)));
    let last = site.file.len() - 1;
    let (status, start, end) = match bounds {
        None => (200, 0, last),
        Some((start, end)) => (
            206,
            start.parse().unwrap(),
            end.parse().unwrap_or(last).min(last),
        ),
    };
    if start > last {
        return empty(416, "");
    }
    let body = &site.file[start..=end];
    let total = site.file.len();
    let mut text = format!(
        "HTTP/1.1 {status} Said\r\n{declared}Content-Length: {}\r\n\
         Content-Range: bytes {start}-{end}/{total}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    let sent = match fault {
        Some(Fault::BreakAfter(length)) => length.min(body.len()),
        _ => body.len(),
    };
    text.extend(&body[..sent]);
    (text, sent == body.len())
}

fn file() -> Vec<u8> {
    (0..300_000u32)
        .map(|i| i.wrapping_mul(i).to_le_bytes()[1])
        .collect()
}

fn hub(endpoint: &str, cache: &Path) -> Hub {
    let silence = Duration::from_millis(600);
    Hub::new(
        endpoint,
        Cache::new(cache.to_owned()),
        Some("secret".to_owned()),
        false,
        silence,
    )
}

fn fetch(server: &Server, cache: &Path) -> Result<Vec<u8>, HubError> {
    let fetched = hub(&server.url, cache).fetch(REPOSITORY, &NoProgress)?;
    assert_eq!(fetched.sha256, sha256(&fetched.bytes));
    assert_eq!(fetched.commit, COMMIT);
    Ok(fetched.bytes)
}

fn blobs(cache: &Path) -> Vec<String> {
    let folder = cache.join("models--timm--net.tv_in1k/blobs");
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_file_is_fetched_once_into_the_shared_cache() {
    let (server, cache) = (Server::start(&file()), tempfile::tempdir().unwrap());
    assert_eq!(fetch(&server, cache.path()).unwrap(), file());
    assert_eq!(server.site.lock().unwrap().requests[0][3], "Bearer secret");
    assert_eq!(server.ranges(), [""]);
    let folder = cache.path().join("models--timm--net.tv_in1k");
    let reference = fs::read_to_string(folder.join("refs/main")).unwrap();
    assert_eq!(reference, COMMIT);
    let pointer = folder.join("snapshots").join(COMMIT).join(FILE);
    assert_eq!(fs::read(&pointer).unwrap(), file());
    assert!(fs::symlink_metadata(&pointer).unwrap().is_symlink());
    assert_eq!(blobs(cache.path()), [sha256(&file())]);

    assert_eq!(fetch(&server, cache.path()).unwrap(), file());
    assert_eq!(server.ranges(), [""; 0]);
    // A blob that was damaged is fetched again.
    fs::write(folder.join("blobs").join(sha256(&file())), b"damaged").unwrap();
    assert_eq!(fetch(&server, cache.path()).unwrap(), file());
    assert_eq!(server.ranges(), [""]);
}

#[test]
fn a_download_that_broke_off_goes_on_where_it_ended() {
    let (server, cache) = (Server::start(&file()), tempfile::tempdir().unwrap());
    server.fail([Fault::BreakAfter(100_000), Fault::BreakAfter(50_000)]);
    assert_eq!(fetch(&server, cache.path()).unwrap(), file());
    assert_eq!(server.ranges(), ["", "bytes=100000-", "bytes=150000-"]);

    // The next process goes on too, and so does a file that a server sends whole.
    let cache = tempfile::tempdir().unwrap();
    server.fail([Fault::BreakAfter(100_000)]);
    server.fail(std::iter::repeat_n(Fault::Status(503), TRIES as usize));
    let refused = fetch(&server, cache.path()).unwrap_err();
    assert!(matches!(refused, HubError::Status { status: 503, .. }));
    let partial = format!("{}.incomplete", sha256(&file()));
    assert_eq!(blobs(cache.path()), [partial]);
    server.ranges();
    server.fail([Fault::NoRange]);
    assert_eq!(fetch(&server, cache.path()).unwrap(), file());
    assert_eq!(server.ranges(), ["bytes=100000-"]);
}

#[test]
fn other_bytes_than_declared_are_refused_and_thrown_away() {
    let (server, cache) = (Server::start(&file()), tempfile::tempdir().unwrap());
    let declared = sha256(b"another file");
    server.site.lock().unwrap().sha256.clone_from(&declared);
    let refused = fetch(&server, cache.path()).unwrap_err();
    assert!(
        matches!(&refused, HubError::WrongHash { declared: said, found, .. }
            if *said == declared && *found == sha256(&file())),
        "{refused}"
    );
    assert!(blobs(cache.path()).is_empty());

    // What broke off may be the beginning of another file.
    server.site.lock().unwrap().sha256 = sha256(&file());
    let partial = format!("{}.incomplete", sha256(&file()));
    let folder = cache.path().join("models--timm--net.tv_in1k/blobs");
    fs::write(folder.join(partial), b"the beginning of another").unwrap();
    assert_eq!(fetch(&server, cache.path()).unwrap(), file());
}

#[test]
fn a_hub_that_stumbles_is_asked_again() {
    let (server, cache) = (Server::start(&file()), tempfile::tempdir().unwrap());
    server.fail([Fault::Status(503), Fault::Status(429), Fault::BreakAfter(0)]);
    assert_eq!(fetch(&server, cache.path()).unwrap(), file());
    // One that says no is not.
    server.ranges();
    let cache = tempfile::tempdir().unwrap();
    server.fail([Fault::Status(403)]);
    let refused = fetch(&server, cache.path()).unwrap_err();
    assert!(matches!(refused, HubError::Status { status: 403, .. }));
    assert_eq!(server.ranges().len(), 1);
    let unknown = hub(&server.url, cache.path()).fetch("timm/other", &NoProgress);
    assert!(matches!(
        unknown.unwrap_err(),
        HubError::Status { status: 404, .. }
    ));
}

#[test]
fn mirrors_answer_as_they_do() {
    let (store, cache) = (Server::start(&file()), tempfile::tempdir().unwrap());
    // The hub sends us to another host for the bytes, which learns no token.
    let front = Server::start(&file());
    front.site.lock().unwrap().elsewhere = Some(store.url.replace("127.0.0.1", "localhost"));
    assert_eq!(fetch(&front, cache.path()).unwrap(), file());
    let tokens = |server: &Server| {
        let site = server.site.lock().unwrap();
        let requests = site.requests.iter();
        requests
            .map(|request| request[3].clone())
            .collect::<Vec<_>>()
    };
    assert!(tokens(&front).iter().all(|token| token == "Bearer secret"));
    assert_eq!(tokens(&store), [""]);

    // One that knows no HEAD.
    let (plain, cache) = (Server::start(&file()), tempfile::tempdir().unwrap());
    plain.site.lock().unwrap().knows_head = false;
    assert_eq!(fetch(&plain, cache.path()).unwrap(), file());
    assert_eq!(plain.ranges(), ["bytes=0-0", ""]);
    // A path, and a slash at its end.
    let cache = tempfile::tempdir().unwrap();
    let below = hub(&format!("{}/hub/", plain.url), cache.path());
    assert_eq!(below.fetch(REPOSITORY, &NoProgress).unwrap().bytes, file());
}

#[test]
fn without_a_network_the_cache_serves() {
    let (server, cache) = (Server::start(&file()), tempfile::tempdir().unwrap());
    let mut offline = hub(&server.url, cache.path());
    offline.offline = true;
    let missing = offline.fetch(REPOSITORY, &NoProgress).unwrap_err();
    assert!(matches!(missing, HubError::Offline { .. }));
    let gone = hub("http://127.0.0.1:9", cache.path());
    let unreachable = gone.fetch(REPOSITORY, &NoProgress).unwrap_err();
    assert!(matches!(unreachable, HubError::Network { .. }));

    fetch(&server, cache.path()).unwrap();
    server.ranges();
    assert_eq!(
        offline.fetch(REPOSITORY, &NoProgress).unwrap().bytes,
        file()
    );
    assert_eq!(gone.fetch(REPOSITORY, &NoProgress).unwrap().bytes, file());
    assert_eq!(server.ranges(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let server = Server::start(&file());
    let cache = tempfile::tempdir().unwrap();
    let taken = cache.path().join("file");
    fs::write(&taken, b"").unwrap();
    let refused = fetch(&server, &taken).unwrap_err();
    assert!(matches!(refused, HubError::Cache { .. }), "{refused}");
}
