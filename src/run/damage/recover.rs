//! What whoever holds a result does before working on it: write again what is kept twice, and set aside what is damaged,
//! so that the stage makes exactly that.

use crate::jobs::files::damage::{GONE, set_aside_because};
use crate::run::damage::found::{Depth, Known, files};
use crate::run::damage::needs::unnamed;
use crate::run::manifest::{self, Copy, MANIFEST, Manifest, write_text};
use crate::run::store::LOG;
use anyhow::Result;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Makes `folder`, an entry of the store, fit to be worked in; what was done, a sentence each, which also stand in its log.
/// Only the holder of the entry may call it.
///
/// # Errors
/// Where a file cannot be read, renamed or written.
pub fn recover(folder: &Path) -> Result<Vec<String>> {
    let known = Known::of(folder);
    let mut lines: Vec<String> = known.told(folder).into_iter().collect();
    let path = folder.join(MANIFEST);
    match known {
        Known::Whole(manifest) => lines.extend(files_of(folder, &manifest)?),
        Known::Copied(manifest, why) => {
            if why != GONE {
                set_aside_because(&path, &why)?;
            }
            if let Some(copy) = Copy::read(folder) {
                copy.restore_manifest(folder)?;
            }
            lines.extend(files_of(folder, &manifest)?);
        }
        Known::Lost(why) => {
            set_aside_because(&path, &why)?;
            lines.extend(unnamed(folder, |_| true)?);
        }
        Known::Unfinished => lines.extend(unnamed(folder, |_| true)?),
    }
    note(folder, &lines);
    Ok(lines)
}

/// The same for the files that a manifest names, and for parts that an unfinished run has left beside them.
fn files_of(folder: &Path, known: &Manifest) -> Result<Vec<String>> {
    let (mut lines, mut whole) = (Vec::new(), true);
    for file in files(folder, known, Depth::All)? {
        lines.push(file.told());
        if file.why != GONE {
            set_aside_because(&file.path, &file.why)?;
        }
        match &file.copy {
            Some(text) => write_text(&file.path, text)?,
            None => whole = false,
        }
    }
    lines.extend(unnamed(folder, |name| !known.files.contains_key(name))?);
    if !whole {
        // What is made again need not have the digests that it had.
        manifest::remove(folder)?;
    }
    Ok(lines)
}

fn note(folder: &Path, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ");
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(LOG));
    if let Ok(mut log) = log {
        // A log that cannot be written must not be what stops the work.
        let _ = lines
            .iter()
            .try_for_each(|line| writeln!(log, "{now} warning: {line}"));
    }
}
