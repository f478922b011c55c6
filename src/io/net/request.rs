//! One request for a file, from the byte on at which an earlier one ended.

use crate::io::disk::{read_json, write_json};
use crate::io::net::http::{content_range, validator_of, whole_length};
use crate::io::net::partial::{beside, length, truncate};
use anyhow::{Error, Result, anyhow};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
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
pub(crate) enum Trouble {
    /// It may go better next time.
    Again(Error),
    Lost(Error),
}

/// Where a request goes on, and what must still be true of the file there.
struct Start {
    have: u64,
    validator: Option<String>,
}

/// What a server's answer adds to the bytes that are there.
enum Answer {
    /// A body that goes behind the first `have` bytes, of a file of `total` where the server says it.
    Body { have: u64, total: Option<u64> },
    /// Nothing: all of it is there.
    Whole,
}

/// One request, and its body behind what is there.
pub(crate) fn attempt(
    wanted: &Wanted,
    agent: &Agent,
    part: &Path,
    open: Open,
    tell: &mut dyn FnMut(Event),
) -> Result<(), Trouble> {
    let from = start(wanted, part, tell)?;
    // Compressed on the way, its bytes would not be counted in those of the file.
    let mut request = agent.get(wanted.url).header("Accept-Encoding", "identity");
    if from.have > 0 {
        request = request.header("Range", format!("bytes={}-", from.have));
        if let Some(validator) = &from.validator {
            request = request.header("If-Range", validator);
        }
    }
    let response = request.call().map_err(|e| Trouble::Again(e.into()))?;
    let Answer::Body { have, total } = answer(wanted, &response, from.have, part, tell)? else {
        return Ok(());
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
        write_json(&beside(part, "json"), &Resume { url, validator })?;
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

/// What is there of this address; of another one nothing is used.
fn start(wanted: &Wanted, part: &Path, tell: &mut dyn FnMut(Event)) -> Result<Start, Trouble> {
    let have = length(part)?;
    let nothing = Start {
        have: 0,
        validator: None,
    };
    if have == 0 {
        return Ok(nothing);
    }
    let known: Option<Resume> = read_json(&beside(part, "json")).ok();
    let Some(known) = known.filter(|known| known.url == wanted.url) else {
        truncate(part)?;
        tell(Event::FromTheStart("it is of another address"));
        return Ok(nothing);
    };
    Ok(Start {
        have,
        validator: known.validator,
    })
}

/// What the head of an answer to a request for the bytes from `have` on says.
fn answer(
    wanted: &Wanted,
    response: &Response<Body>,
    have: u64,
    part: &Path,
    tell: &mut dyn FnMut(Event),
) -> Result<Answer, Trouble> {
    match response.status().as_u16() {
        200 => {
            if have > 0 {
                truncate(part)?;
                tell(Event::FromTheStart(
                    "the server sends it whole, or it has changed there",
                ));
            }
            let total = whole_length(response, wanted.url, wanted.bytes)?;
            Ok(Answer::Body { have: 0, total })
        }
        206 => match content_range(response.headers()) {
            Some((Some(start), total)) if start == have => Ok(Answer::Body { have, total }),
            _ => {
                truncate(part)?;
                Err(Trouble::Again(anyhow!(
                    "the server sent another range than {have}.."
                )))
            }
        },
        416 => match content_range(response.headers()) {
            Some((None, Some(total))) if total == have && have > 0 => Ok(Answer::Whole),
            _ => {
                truncate(part)?;
                Err(Trouble::Again(anyhow!("the server has no bytes {have}..")))
            }
        },
        status @ (408 | 429 | 500..) => Err(Trouble::Again(anyhow!("the server answers {status}"))),
        status => Err(Trouble::Lost(anyhow!(
            "fetching {}: the server answers {status}\nhint: {}",
            wanted.url,
            match status {
                404 | 410 => "the file is no longer at this address",
                _ => "see whether a browser gets it",
            }
        ))),
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
