//! Stored parts whose bytes are not what was written: they are set aside under another name, so that they are missing and
//! are made again, and it is said.

use crate::io::numpy::npz;
use anyhow::{Context, Result};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

/// What the name of a damaged part ends with, once it is set aside.
pub const BROKEN: &str = "broken";

/// A file as it was when it was looked at.
type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Reads an npz to its end, once a process while its size and time of change stay, and renames it to `NAME.npz.broken`
/// where it is cut off or has other bytes than its checksums say. What happened, in a sentence; None where the file is
/// whole, or is not there.
///
/// # Errors
/// Where the file cannot be opened or renamed.
pub fn set_aside(path: &Path) -> Result<Option<String>> {
    static WHOLE: OnceLock<Mutex<HashSet<Stamp>>> = OnceLock::new();
    let whole = WHOLE.get_or_init(Default::default);
    let meta = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        meta => meta.with_context(|| format!("reading {}", path.display()))?,
    };
    let stamp = (path.to_path_buf(), meta.len(), meta.modified().ok());
    if whole.lock().is_ok_and(|whole| whole.contains(&stamp)) {
        return Ok(None);
    }
    fs::File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let Err(error) = npz::verify(path) else {
        if let Ok(mut whole) = whole.lock() {
            whole.insert(stamp);
        }
        return Ok(None);
    };
    let aside = aside(path);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        renamed => renamed.with_context(|| format!("setting aside {}", path.display()))?,
    }
    let why = error.root_cause();
    Ok(Some(sentence(path, &format!(" ({why})"))))
}

/// Whether the part is there and whole; what is damaged is set aside, and `warn` hears it.
pub fn whole(path: &Path, warn: &dyn Fn(&str)) -> Result<bool> {
    if let Some(line) = set_aside(path)? {
        warn(&line);
    }
    Ok(path.exists())
}

/// A sentence for each part of `folder` that was set aside and is not made again yet.
pub fn missing(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let broken = files.filter_map(|file| {
        let path = file.path();
        let part = path.with_extension("");
        let broken = path.extension().is_some_and(|end| end == BROKEN) && !part.exists();
        broken.then(|| sentence(&part, ""))
    });
    let mut lines: Vec<String> = broken.collect();
    lines.sort();
    lines
}

fn sentence(path: &Path, why: &str) -> String {
    format!(
        "{} was damaged{why}; it is kept as {} and made again",
        path.display(),
        aside(path)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
    )
}

fn aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(BROKEN);
    name.into()
}
