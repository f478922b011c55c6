//! Files that are whole or absent: written aside, synced, renamed; and JSON of bounded size.

use crate::machine::profile::{Operation, span};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The largest JSON file that is read.
pub const JSON_LIMIT: u64 = 256 << 20;

/// Writes `path` through `fill` so that it is never seen half-written: a temporary file in the same folder takes its
/// place when all is on disk, and is removed when anything fails.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let _span = span(Operation::Write);
    let (aside, file) =
        create_aside(path).with_context(|| format!("writing {}", path.display()))?;
    let written = fill_and_sync(file, fill)
        .and_then(|()| fs::rename(&aside, path).map_err(anyhow::Error::from));
    if written.is_err() {
        // The first error is the one to tell; a file that cannot be removed is named by its ending.
        let _ = fs::remove_file(&aside);
    }
    written.with_context(|| format!("writing {}", path.display()))?;
    sync_folder(path);
    Ok(())
}

/// What the names of files that are being written end with; they begin with a dot.
const ASIDE: &str = ".part";

/// The name of this process among all that may write to one file system, on whatever machines: 16 hexadecimal digits,
/// random, since process numbers repeat from machine to machine.
pub fn writer() -> &'static str {
    static WRITER: OnceLock<String> = OnceLock::new();
    WRITER.get_or_init(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // Its keys are the operating system's random words.
        let word = RandomState::new().hash_one((std::process::id(), now.ok()));
        format!("{word:016x}")
    })
}

/// The process that writes, or wrote, the unfinished file of this name; None for any other name.
pub fn writer_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix('.')?.strip_suffix(ASIDE)?;
    let writer = rest.rsplit_once('.')?.1.split_once('-')?.0;
    let hexadecimal = writer.bytes().all(|b| b.is_ascii_hexdigit());
    (writer.len() == 16 && hexadecimal).then_some(writer)
}

/// A new file beside `path`, named so that no other writer has it.
fn create_aside(path: &Path) -> Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().context("the path names no file")?;
    let mut aside = std::ffi::OsString::from(".");
    aside.push(name);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    aside.push(format!(".{}-{count}{ASIDE}", writer()));
    let aside = path.with_file_name(aside);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&aside)?;
    Ok((aside, file))
}

fn fill_and_sync(file: File, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, file);
    fill(&mut out)?;
    let file = out.into_inner().map_err(|e| e.into_error())?;
    file.sync_all()?;
    Ok(())
}

/// Puts `content` in the place of `path`, whole but not synced: for what has no meaning after a power cut.
///
/// # Errors
/// Those of the disk.
pub fn replace_unsynced(path: &Path, content: &[u8]) -> Result<()> {
    let (aside, mut file) = create_aside(path)?;
    let written = file.write_all(content);
    let placed = written.and_then(|()| fs::rename(&aside, path));
    if placed.is_err() {
        let _ = fs::remove_file(&aside);
    }
    Ok(placed?)
}

/// Makes `path` with this content unless it is there: of all processes that try, on whatever machines, one succeeds. It may
/// be seen before its content is; it is not synced.
///
/// # Errors
/// `AlreadyExists` where it is there.
pub fn create_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(content);
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Makes the rename last through a power cut, where the file system can; some cannot sync a folder.
pub fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}

/// Reads a JSON file of at most `JSON_LIMIT` bytes.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read_bounded(path, JSON_LIMIT)?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}

/// Writes indented JSON with a last newline, atomically.
pub fn write_json<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<()> {
    write_atomic(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        Ok(out.write_all(b"\n")?)
    })
}

/// The whole file, refused where it is larger than `limit` bytes, whatever its directory entry says.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let reading = || format!("reading {}", path.display());
    let once = || -> std::io::Result<Vec<u8>> {
        let file = File::open(path)?;
        // What the file system says of the length is a hint alone: it saves reads, and no more memory is taken than `limit`.
        let hint = file.metadata().map_or(0, |meta| meta.len().min(limit));
        let mut bytes = Vec::with_capacity((hint as usize).min(1 << 20) + 1);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // On NFS a file that another machine has just replaced answers so once; opened again, the new one is read.
    let bytes = match once() {
        Err(error) if error.kind() == ErrorKind::StaleNetworkFileHandle => once(),
        read => read,
    };
    let bytes = bytes.with_context(reading)?;
    ensure!(
        bytes.len() as u64 <= limit,
        "reading {}: it is larger than the {limit} bytes that are read",
        path.display()
    );
    Ok(bytes)
}

/// Whether an error comes from a disk that takes nothing more: it is full, its quota is, or it is read-only.
pub fn is_unwritable(error: &anyhow::Error) -> bool {
    use ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kinds = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    let mut kinds = kinds.map(std::io::Error::kind);
    kinds.any(|kind| matches!(kind, StorageFull | ReadOnlyFilesystem | QuotaExceeded))
}
