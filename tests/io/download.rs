//! Fetching over HTTP, against a server in the test: whole, resumed, cut, changed, redirected, refused, full disks.

use crate::support::files::{names, sha256};
use crate::support::http::{Server, answer, cut, serve};
use fidrunner::io::net::download::{
    Event, Outcome, Patience, Record, Wanted, fetch, fetch_through,
};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Patience = Patience {
    tries: 2,
    pause: Duration::from_millis(1),
};

fn file() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/weights.pt");
        Place {
            _folder: folder,
            path,
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}.{ending}", self.path.display()))
    }

    fn names(&self) -> Vec<String> {
        names(self.path.parent().unwrap())
    }
}

fn get(place: &Place, server: &Server, sha256: Option<&str>) -> Result<Outcome, String> {
    let wanted = Wanted {
        url: &server.url,
        path: &place.path,
        sha256,
        bytes: None,
    };
    fetch(&wanted, PATIENCE, &mut |_| {}).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_whole_file_is_recorded_and_found_again_without_a_request() {
    let place = Place::new();
    let server = Server::new(|_, head| serve(head, &file()));
    let record = Record {
        url: server.url.clone(),
        sha256: sha256(&file()),
        bytes: 300_000,
        published: false,
    };
    assert_eq!(
        get(&place, &server, None).unwrap(),
        Outcome::Fetched(record.clone())
    );
    assert_eq!(std::fs::read(&place.path).unwrap(), file());
    assert_eq!(place.names(), ["weights.pt", "weights.pt.json"]);
    assert_eq!(get(&place, &server, None).unwrap(), Outcome::Here(record));
    assert_eq!(server.count(), 1);
    assert!(server.head(0).contains("accept-encoding: identity"));
}

#[test]
fn a_cut_connection_goes_on_where_it_was() {
    let place = Place::new();
    let server = Server::new(|n, head| match n {
        0 => cut(serve(head, &file()), 100_000),
        1 => cut(serve(head, &file()), 50_000),
        _ => serve(head, &file()),
    });
    let digest = sha256(&file());
    let made = get(&place, &server, Some(&digest)).unwrap();
    assert!(matches!(made, Outcome::Fetched(record) if record.published));
    assert_eq!(std::fs::read(&place.path).unwrap(), file());
    assert!(
        server
            .head(1)
            .contains("range: bytes=100000-\r\nif-range: \"a\"")
    );
    assert!(server.head(2).contains("range: bytes=150000-"));
}

#[test]
fn a_second_run_goes_on_where_the_first_gave_up() {
    let place = Place::new();
    let server = Server::new(|n, head| match n {
        0 => cut(serve(head, &file()), 1_000),
        1 | 2 => answer("503 Busy", "Content-Length: 0\r\n", b""),
        _ => serve(head, &file()),
    });
    let message = get(&place, &server, None).unwrap_err();
    let kept = "1000 bytes are kept\nhint: the same command again goes on from there";
    assert!(message.contains(kept), "{message}");
    assert!(message.ends_with("the server answers 503"), "{message}");
    assert!(!place.path.exists());
    assert_eq!(place.names(), ["weights.pt.part", "weights.pt.part.json"]);
    get(&place, &server, None).unwrap();
    assert!(server.head(3).contains("range: bytes=1000-"));
    assert_eq!(std::fs::read(&place.path).unwrap(), file());
    assert_eq!(place.names(), ["weights.pt", "weights.pt.json"]);
}

#[test]
fn a_partial_file_that_is_whole_is_not_asked_for_again() {
    let place = Place::new();
    let server = Server::new(|_, head| serve(head, &file()));
    std::fs::create_dir_all(place.path.parent().unwrap()).unwrap();
    std::fs::write(place.beside("part"), file()).unwrap();
    let resume = format!(
        "{{\"url\": \"{}\", \"validator\": \"\\\"a\\\"\"}}",
        server.url
    );
    std::fs::write(place.beside("part.json"), resume).unwrap();
    get(&place, &server, Some(&sha256(&file()))).unwrap();
    assert_eq!(server.count(), 1);
    assert!(server.head(0).contains("range: bytes=300000-"));
}

#[test]
fn a_server_that_ignores_ranges_starts_over() {
    let place = Place::new();
    let server = Server::new(|n, _| match n {
        0 => cut(serve("", &file()), 100_000),
        _ => serve("", &file()),
    });
    let mut told = Vec::new();
    let wanted = Wanted {
        url: &server.url,
        path: &place.path,
        sha256: None,
        bytes: None,
    };
    fetch(&wanted, PATIENCE, &mut |event| {
        if let Event::FromTheStart(why) = event {
            told.push(why);
        }
    })
    .unwrap();
    assert_eq!(told, ["the server sends it whole, or it has changed there"]);
    assert_eq!(std::fs::read(&place.path).unwrap(), file());
}

#[test]
fn a_file_that_is_always_cut_is_given_up_and_never_published() {
    let place = Place::new();
    let server = Server::new(|_, _| cut(serve("", &file()), 100_000));
    let message = get(&place, &server, None).unwrap_err();
    assert!(message.contains("100000 bytes are kept"), "{message}");
    assert!(!place.path.exists());
}

#[test]
fn corrupted_bytes_are_thrown_away() {
    let place = Place::new();
    let mut wrong = file();
    wrong[7] ^= 1;
    let body = wrong.clone();
    let server = Server::new(move |_, head| serve(head, &body));
    let digest = sha256(&file());
    let message = get(&place, &server, Some(&digest)).unwrap_err();
    assert!(
        message.contains(&format!(
            "has sha256 {}, and {digest} is published",
            sha256(&wrong)
        )),
        "{message}"
    );
    assert!(place.names().is_empty(), "{:?}", place.names());
}

#[test]
fn what_changed_since_it_was_recorded_is_told() {
    let place = Place::new();
    let server = Server::new(|n, head| match n {
        0 => serve(head, &file()),
        _ => serve(head, b"another file"),
    });
    get(&place, &server, None).unwrap();
    std::fs::remove_file(&place.path).unwrap();
    let message = get(&place, &server, None).unwrap_err();
    assert!(
        message
            .contains("when it was first fetched\nhint: if the change is known and meant, remove "),
        "{message}"
    );
    std::fs::write(&place.path, "edited").unwrap();
    let message = get(&place, &server, None).unwrap_err();
    assert!(
        message.contains("is not what it was\nhint: remove it to fetch it again"),
        "{message}"
    );
}

#[test]
fn a_server_that_is_not_there_leaves_nothing_behind() {
    let place = Place::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{port}/weights.pt");
    let wanted = Wanted {
        url: &url,
        path: &place.path,
        sha256: None,
        bytes: None,
    };
    let mut tries = 1;
    let error = fetch(&wanted, PATIENCE, &mut |event| {
        tries += usize::from(matches!(event, Event::Again(_)));
    });
    let message = format!("{:#}", error.unwrap_err());
    assert!(
        message.starts_with(&format!("fetching {url}: ")),
        "{message}"
    );
    assert_eq!(tries, 2);
    assert!(place.names().is_empty());
}

#[test]
fn redirects_are_followed_and_a_404_is_told_at_once() {
    let place = Place::new();
    let target = Server::new(|_, head| serve(head, &file()));
    let to = format!("Location: {}\r\nContent-Length: 0\r\n", target.url);
    let server = Server::new(move |_, _| answer("302 Found", &to, b""));
    get(&place, &server, None).unwrap();
    assert_eq!(std::fs::read(&place.path).unwrap(), file());

    let place = Place::new();
    let server = Server::new(|_, _| answer("404 Not Found", "Content-Length: 4\r\n", b"gone"));
    let message = get(&place, &server, None).unwrap_err();
    assert_eq!(
        message,
        format!(
            "fetching {}: the server answers 404\nhint: the file is no longer at this address",
            server.url
        )
    );
    assert_eq!(server.count(), 1);
    assert!(!place.path.exists());
}

#[test]
fn an_answer_of_unknown_length_or_of_another_is_refused() {
    let place = Place::new();
    let server = Server::new(|_, _| answer("200 OK", "", &file()));
    let message = get(&place, &server, None).unwrap_err();
    assert!(
        message.contains("does not say how long the file is"),
        "{message}"
    );
    let server = Server::new(|_, head| serve(head, &file()));
    let wanted = Wanted {
        url: &server.url,
        path: &place.path,
        sha256: None,
        bytes: Some(300_001),
    };
    let message = fetch(&wanted, PATIENCE, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        message.ends_with("the server has 300000 bytes, and 300001 are published"),
        "{message}"
    );
}

/// A disk with room for so many bytes.
struct Full {
    file: std::fs::File,
    left: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.left);
        if n == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left -= n;
        self.file.write(&bytes[..n])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[test]
fn a_full_disk_keeps_what_came_and_says_how_to_go_on() {
    let place = Place::new();
    let server = Server::new(|_, head| serve(head, &file()));
    let wanted = Wanted {
        url: &server.url,
        path: &place.path,
        sha256: None,
        bytes: None,
    };
    let open = |path: &Path| -> io::Result<Box<dyn Write>> {
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Box::new(Full { file, left: 70_000 }))
    };
    let error = fetch_through(&wanted, PATIENCE, &open, &mut |_| {}).unwrap_err();
    let message = format!("{error:#}");
    assert!(
        message.contains("are kept\nhint: make room there, or choose another folder with --cache; the same command again goes on from there"),
        "{message}"
    );
    assert_eq!(server.count(), 1, "a full disk is not tried again");
    let kept = std::fs::metadata(place.beside("part")).unwrap().len();
    assert_eq!(kept, 70_000);
    get(&place, &server, None).unwrap();
    assert!(server.head(1).contains("range: bytes=70000-"));
    assert_eq!(std::fs::read(&place.path).unwrap(), file());
}

#[test]
fn two_at_once_do_not_write_into_each_other() {
    let place = Place::new();
    std::fs::create_dir_all(place.path.parent().unwrap()).unwrap();
    let part = OpenOptions::new()
        .create(true)
        .append(true)
        .open(place.beside("part"))
        .unwrap();
    part.lock().unwrap();
    let server = Server::new(|_, head| serve(head, &file()));
    let message = get(&place, &server, None).unwrap_err();
    assert!(
        message.ends_with("is being fetched by another runner"),
        "{message}"
    );
    assert_eq!(server.count(), 0);
}
