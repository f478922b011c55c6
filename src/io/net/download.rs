//! A file over HTTP: resumed where it was cut off, checked by digest, and under its name only when it is whole.

use crate::io::disk::{read_json, sync_folder, write_json};
use crate::io::net::http::agent;
use crate::io::net::partial::{beside, length, lock, remove, sha256};
use crate::io::net::request::{Trouble, attempt};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

pub use crate::io::net::request::{Event, Open, Wanted};

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
    whole(wanted, patience, &part, open, tell)?;
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

/// Asks until all is in `part`, or patience ends.
fn whole(
    wanted: &Wanted,
    patience: Patience,
    part: &Path,
    open: Open,
    tell: &mut dyn FnMut(Event),
) -> Result<()> {
    let agent = agent();
    let mut barren = 0;
    loop {
        let before = length(part)?;
        let error = match attempt(wanted, &agent, part, open, tell) {
            Ok(()) => return Ok(()),
            Err(Trouble::Lost(error)) => return Err(error),
            Err(Trouble::Again(error)) => error,
        };
        let now = length(part)?;
        barren = if now > before { 0 } else { barren + 1 };
        if barren >= patience.tries {
            if now == 0 {
                remove(part)?;
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
