//! Stored parts whose bytes are not what was written: they are set aside under another name, so that they are missing and
//! are made again, and it is said.

use crate::experiment::key::digest_file;
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
    let why = error.root_cause().to_string();
    rename_aside(path)?;
    Ok(Some(sentence(path, &format!(" ({why})"))))
}

/// Renames a damaged file to `NAME.broken` and says so; `why` is what [`differs`] found. Of a file that is gone it only
/// says that.
///
/// # Errors
/// Where it cannot be renamed.
pub fn set_aside_because(path: &Path, why: &str) -> Result<String> {
    rename_aside(path)?;
    Ok(told(path, why))
}

/// What [`set_aside_because`] says.
pub fn told(path: &Path, why: &str) -> String {
    if why == GONE {
        format!("{} is {GONE}; it is made again", path.display())
    } else {
        sentence(path, &format!(" ({why})"))
    }
}

fn rename_aside(path: &Path) -> Result<()> {
    match fs::rename(path, aside(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        renamed => renamed.with_context(|| format!("setting aside {}", path.display())),
    }
}

/// What [`differs`] says of a file that is not there.
pub const GONE: &str = "missing";

/// How a file is not the one that was written with so many bytes and this sha256; None where it is. Its bytes are read
/// once a process while its size and time of change stay.
///
/// # Errors
/// Where the file is there and cannot be read.
pub fn differs(path: &Path, bytes: u64, sha256: &str) -> Result<Option<String>> {
    let meta = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(GONE.to_string())),
        meta => meta.with_context(|| format!("reading {}", path.display()))?,
    };
    if !meta.is_file() {
        return Ok(Some("no file".to_string()));
    }
    if meta.len() != bytes {
        let found = meta.len();
        return Ok(Some(format!("{found} bytes where {bytes} were written")));
    }
    let found = digest_file(path)?;
    let short = |digest: &str| digest.get(..8).unwrap_or(digest).to_string();
    Ok((found != sha256).then(|| {
        let (found, written) = (short(&found), short(sha256));
        format!("its sha256 begins with {found} where {written} was written")
    }))
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
