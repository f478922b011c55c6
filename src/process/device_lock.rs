//! One user of a device at a time, among all of a user's programs on a machine: advisory locks on files (flock(2)), which the
//! processes that inherit them hold as long as one of them lives.

use super::system;
use super::table;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Who took a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub host: String,
    pub pid: u32,
    /// When the process was started, in the kernel's ticks since boot: a reused pid is not the same process.
    pub born: Option<u64>,
    /// In RFC 3339, to the second.
    pub since: String,
    /// What the device is used for.
    pub what: String,
}

impl Holder {
    /// Whether the process that took the lock is gone, so that one that it started holds it.
    pub fn is_gone(&self) -> bool {
        let here = self.host == table::host() && table::is_shown();
        here && (table::born(self.pid).is_none() || table::born(self.pid) != self.born)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let whose = if self.is_gone() {
            "what is left of process"
        } else {
            "process"
        };
        write!(
            f,
            "{whose} {} since {}: {}",
            self.pid, self.since, self.what
        )
    }
}

/// Locks that are held until this is dropped and the last process that inherited them has ended.
#[derive(Debug)]
pub struct Locks {
    files: Vec<File>,
}

impl Locks {
    /// The files for [`crate::process::command::Command::keep_open`].
    pub fn files(&self) -> Vec<&File> {
        self.files.iter().collect()
    }
}

/// The variable that names another folder for the locks.
pub const FOLDER: &str = "RUNNER_LOCKS";

/// Where the locks of this user are: where [`FOLDER`] says, else in `/tmp/runner-UID/devices`. Neither TMPDIR nor XDG_RUNTIME_DIR moves it: two programs of
/// which one was started by a login and the other by a queue have to meet here.
///
/// # Errors
/// A folder of that name that somebody else made.
pub fn folder() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(FOLDER).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        let told = || format!("making {}, which {FOLDER} names", named.display());
        std::fs::create_dir_all(&named).with_context(told)?;
        return Ok(named);
    }
    let shared = if cfg!(unix) {
        PathBuf::from("/tmp")
    } else {
        std::env::temp_dir()
    };
    let own = shared.join(format!("runner-{}", system::user()));
    let devices = own.join("devices");
    for path in [&own, &devices] {
        system::private_folder(path)
            .with_context(|| format!("the locks of devices are to be in {}", path.display()))?;
    }
    Ok(devices)
}

/// The locks of all of these devices, or of none: None where somebody else has one. Names are of letters, digits and `-`:
/// `cpu`, and what [`crate::process::gpus::lock_name`] gives. `what` is told to whoever waits.
///
/// # Errors
/// A file that cannot be made or is not this user's.
pub fn try_lock(folder: &Path, names: &[String], what: &str) -> Result<Option<Locks>> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort();
    names.dedup();
    let holder = Holder {
        host: table::host(),
        pid: std::process::id(),
        born: table::born(std::process::id()),
        since: jiff::Timestamp::now()
            .round(jiff::Unit::Second)
            .map_or_else(|_| String::new(), |now| now.to_string()),
        what: what.to_string(),
    };
    let mut files = Vec::new();
    for name in names {
        match lock(&place(folder, name)?)? {
            Some(file) => files.push(file),
            None => return Ok(None),
        }
    }
    for file in &mut files {
        write(file, &holder).context("writing who uses a device")?;
    }
    Ok(Some(Locks { files }))
}

/// Who has the lock of a device; None where nobody has, or it was taken a moment ago.
///
/// # Errors
/// A file that is not this user's.
pub fn holder(folder: &Path, name: &str) -> Result<Option<Holder>> {
    let path = place(folder, name)?;
    if !path.exists() {
        return Ok(None);
    }
    let file = open(&path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = (&file).take(1 << 16).read_to_string(&mut text);
            Ok(read.ok().and_then(|_| serde_json::from_str(&text).ok()))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", path.display()))
        }
    }
}

fn place(folder: &Path, name: &str) -> Result<PathBuf> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ensure!(
        !name.is_empty() && name.bytes().all(plain),
        "{name:?} is not the name of a device's lock: letters, digits and `-` alone"
    );
    Ok(folder.join(format!("{name}.lock")))
}

fn open(path: &Path) -> Result<File> {
    system::private_file(path).with_context(|| format!("opening {}", path.display()))
}

fn lock(path: &Path) -> Result<Option<File>> {
    for _ in 0..8 {
        let file = open(path)?;
        match file.try_lock() {
            // Whoever cleans /tmp may have removed the file in between: a lock that nobody else finds is none.
            Ok(()) if system::is_at(&file, path) => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
    }
    bail!("{} is removed again and again", path.display())
}

fn write(file: &mut File, holder: &Holder) -> Result<()> {
    let mut text = serde_json::to_vec(holder)?;
    text.push(b'\n');
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file.write_all(&text)?)
}
