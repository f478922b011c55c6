//! A file over HTTP: resumed where it was cut off, checked by digest, and under its name only when it is whole.

use crate::io::disk::{read_json, sync_folder, write_json};
use crate::io::net::http::{agent, content_range, validator_of, whole_length};
use crate::io::net::partial::{beside, length, lock, remove, sha256, truncate};
use anyhow::{Context, Error, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// What is fetched, and what is known of it.
pub struct Wanted<'a> {
    pub url: &'a str,
    pub path: &'a Path,
    /// Lower-case hex, where one is published.
    pub sha256: Option<&'a str>,
    /// Where the exact size is published.
    pub bytes: Option<u64>,
}

/// When to give up: after so many tries in a row that brought no new byte, with growing pauses between them.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub tries: u32,
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 5,
            pause: Duration::from_secs(1),
        }
    }
}

/// What is told while a file comes.
pub enum Event {
    /// Bytes that are there, of all where the server says how many.
    At(u64, Option<u64>),
    /// All is there, and its digest is being taken.
    Checking,
    /// Why it stopped; it is tried again.
    Again(String),
    /// What was there could not be used.
    FromTheStart(&'static str),
}

/// `NAME.json` beside the file: what it was when it came, for files whose digest nobody publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub url: String,
    pub sha256: String,
    pub bytes: u64,
    /// The digest agrees with a published one.
    pub published: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was there already, and unchanged.
    Here(Record),
    Fetched(Record),
}

/// `NAME.part.json`: what a resumed request must still be true of.
#[derive(Serialize, Deserialize)]
struct Resume {
    url: String,
    /// An entity tag, or the time of the last change.
    validator: Option<String>,
}

/// Opens the partial file to append to it.
pub type Open<'a> = &'a dyn Fn(&Path) -> io::Result<Box<dyn Write>>;

/// How one try ended, short of success.
enum Trouble {
    /// It may go better next time.
    Again(Error),
    Lost(Error),
}

/// Makes `wanted.path`, or checks it where it is.
///
/// # Errors
/// No connection, an answer that is no file, a full disk (what came is kept), and bytes other than the published or
/// the recorded ones.
pub fn fetch(wanted: &Wanted, patience: Patience, tell: &mut dyn FnMut(Event)) -> Result<Outcome> {
    let open = |path: &Path| -> io::Result<Box<dyn Write>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    };
    fetch_through(wanted, patience, &open, tell)
}

/// `fetch` with the partial file opened by `open`.
pub fn fetch_through(
    wanted: &Wanted,
    patience: Patience,
    open: Open,
    tell: &mut dyn FnMut(Event),
) -> Result<Outcome> {
    let record = beside(wanted.path, "json");
    let known: Option<Record> = if record.exists() {
        Some(read_json(&record)?)
    } else {
        None
    };
    if wanted.path.exists() {
        return here(wanted, known, &record, tell);
    }
    let part = beside(wanted.path, "part");
    let _lock = lock(&part)?;
    if wanted.path.exists() {
        // Another runner ended just now; the empty file is only our lock.
        remove(&part)?;
        return fetch_through(wanted, patience, open, tell);
    }
    let agent = agent();
    let mut barren = 0;
    loop {
        let before = length(&part)?;
        match attempt(wanted, &agent, &part, open, tell) {
            Ok(()) => break,
            Err(Trouble::Lost(error)) => return Err(error),
            Err(Trouble::Again(error)) => {
                let now = length(&part)?;
                barren = if now > before { 0 } else { barren + 1 };
                if barren >= patience.tries {
                    if now == 0 {
                        remove(&part)?;
                        return Err(error.context(format!("fetching {}", wanted.url)));
                    }
                    return Err(error.context(format!(
                        "fetching {}: {now} bytes are kept\nhint: the same command again goes on from there",
                        wanted.url
                    )));
                }
                tell(Event::Again(format!("{error:#}")));
                std::thread::sleep(patience.pause * 2u32.pow(barren.min(6)));
            }
        }
    }
    tell(Event::Checking);
    let made = Record {
        url: wanted.url.to_string(),
        sha256: sha256(&part)?,
        bytes: length(&part)?,
        published: wanted.sha256.is_some(),
    };
    if let Err(error) = agrees(wanted, known.as_ref(), &made, &record) {
        // Going on from wrong bytes would only make them again.
        remove(&part)?;
        remove(&beside(&part, "json"))?;
        return Err(error);
    }
    // The record first: a file without one would pass as put there by hand.
    write_json(&record, &made)?;
    fs::rename(&part, wanted.path).with_context(|| format!("writing {}", wanted.path.display()))?;
    sync_folder(wanted.path);
    remove(&beside(&part, "json"))?;
    Ok(Outcome::Fetched(made))
}

/// A file that is there: the published or recorded bytes, or the first record of it.
fn here(
    wanted: &Wanted,
    known: Option<Record>,
    record: &Path,
    tell: &mut dyn FnMut(Event),
) -> Result<Outcome> {
    tell(Event::Checking);
    let found = Record {
        url: wanted.url.to_string(),
        sha256: sha256(wanted.path)?,
        bytes: length(wanted.path)?,
        published: wanted.sha256.is_some(),
    };
    agrees(wanted, known.as_ref(), &found, record).with_context(|| {
        format!(
            "{} is not what it was\nhint: remove it to fetch it again",
            wanted.path.display()
        )
    })?;
    if known.is_none() {
        write_json(record, &found)?;
    }
    Ok(Outcome::Here(found))
}

fn agrees(wanted: &Wanted, known: Option<&Record>, found: &Record, record: &Path) -> Result<()> {
    if let Some(published) = wanted.sha256 {
        ensure!(
            published == found.sha256,
            "{} has sha256 {}, and {published} is published\nhint: the bytes were changed on the way, or at their source; try again, and then another network",
            wanted.url,
            found.sha256
        );
    } else if let Some(known) = known {
        ensure!(
            known.sha256 == found.sha256,
            "{} has sha256 {}, and was {} when it was first fetched\nhint: if the change is known and meant, remove {}",
            wanted.url,
            found.sha256,
            known.sha256,
            record.display()
        );
    }
    Ok(())
}

/// One request, and its body behind what is there.
fn attempt(
    wanted: &Wanted,
    agent: &Agent,
    part: &Path,
    open: Open,
    tell: &mut dyn FnMut(Event),
) -> Result<(), Trouble> {
    let mut have = length(part)?;
    let resume = beside(part, "json");
    let validator = match have {
        0 => None,
        _ => {
            let known: Option<Resume> = read_json(&resume).ok();
            let known = known.filter(|known| known.url == wanted.url);
            if known.is_none() {
                truncate(part)?;
                have = 0;
                tell(Event::FromTheStart("it is of another address"));
            }
            known.and_then(|known| known.validator)
        }
    };
    // Compressed on the way, its bytes would not be counted in those of the file.
    let mut request = agent.get(wanted.url).header("Accept-Encoding", "identity");
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
        if let Some(validator) = validator {
            request = request.header("If-Range", validator);
        }
    }
    let response = request.call().map_err(|e| Trouble::Again(e.into()))?;
    let total = match response.status().as_u16() {
        200 => {
            if have > 0 {
                truncate(part)?;
                have = 0;
                tell(Event::FromTheStart(
                    "the server sends it whole, or it has changed there",
                ));
            }
            whole_length(&response, wanted.url, wanted.bytes)?
        }
        206 => match content_range(response.headers()) {
            Some((Some(start), total)) if start == have => total,
            _ => {
                truncate(part)?;
                return Err(Trouble::Again(anyhow!(
                    "the server sent another range than {have}.."
                )));
            }
        },
        416 => match content_range(response.headers()) {
            Some((None, Some(total))) if total == have && have > 0 => return Ok(()),
            _ => {
                truncate(part)?;
                return Err(Trouble::Again(anyhow!("the server has no bytes {have}..")));
            }
        },
        status @ (408 | 429 | 500..) => {
            return Err(Trouble::Again(anyhow!("the server answers {status}")));
        }
        status => {
            return Err(Trouble::Lost(anyhow!(
                "fetching {}: the server answers {status}\nhint: {}",
                wanted.url,
                match status {
                    404 | 410 => "the file is no longer at this address",
                    _ => "see whether a browser gets it",
                }
            )));
        }
    };
    let length = wanted.bytes.or(total);
    if let (Some(published), Some(total)) = (wanted.bytes, total)
        && published != total
    {
        return Err(Trouble::Lost(anyhow!(
            "fetching {}: the server has {total} bytes, and {published} are published",
            wanted.url
        )));
    }
    room(wanted, length.map(|all| all.saturating_sub(have)))?;
    if have == 0 {
        let url = wanted.url.to_string();
        let validator = validator_of(response.headers());
        write_json(&resume, &Resume { url, validator })?;
    }
    let done = copy(wanted, response, part, open, have, length, tell)?;
    match length {
        Some(all) if done < all => Err(Trouble::Again(anyhow!(
            "the connection ended at byte {done} of {all}"
        ))),
        Some(all) if done > all => {
            truncate(part)?;
            Err(Trouble::Again(anyhow!("{done} bytes came, of {all}")))
        }
        _ => Ok(()),
    }
}

/// The body behind the first `have` bytes of `part`; how many are there then.
fn copy(
    wanted: &Wanted,
    response: Response<Body>,
    part: &Path,
    open: Open,
    have: u64,
    total: Option<u64>,
    tell: &mut dyn FnMut(Event),
) -> Result<u64, Trouble> {
    let mut done = have;
    let writing = |error: io::Error, done: u64| {
        let full = matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        );
        let hint = if full {
            "hint: make room there, or choose another folder with --cache; the same command again goes on from there"
        } else {
            "hint: the same command again goes on from there"
        };
        Trouble::Lost(Error::new(error).context(format!(
            "writing {}: {done} bytes of {} are kept\n{hint}",
            part.display(),
            wanted.url
        )))
    };
    let mut out = open(part).map_err(|error| writing(error, done))?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0u8; 1 << 18];
    tell(Event::At(done, total));
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                out.flush().map_err(|error| writing(error, done))?;
                let text = format!("the connection broke at byte {done}");
                return Err(Trouble::Again(Error::new(error).context(text)));
            }
        };
        out.write_all(&buffer[..n])
            .map_err(|error| writing(error, done))?;
        done += n as u64;
        tell(Event::At(done, total));
    }
    out.flush().map_err(|error| writing(error, done))?;
    drop(out);
    let synced = File::open(part).and_then(|file| file.sync_all());
    synced.map_err(|error| writing(error, done))?;
    Ok(done)
}

/// Refuses what cannot fit, before it has filled the disk for everybody.
fn room(wanted: &Wanted, more: Option<u64>) -> Result<(), Trouble> {
    let folder = wanted.path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let (Some(more), Ok(free)) = (more, fs4::available_space(folder)) else {
        return Ok(());
    };
    if more <= free {
        Ok(())
    } else {
        Err(Trouble::Lost(anyhow!(
            "fetching {}: {more} bytes are still to come, and {} has {free} free; what is there is kept\nhint: make room there, or choose another folder with --cache",
            wanted.url,
            folder.display()
        )))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Lost(error)
    }
}
