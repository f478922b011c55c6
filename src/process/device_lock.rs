//! One lock a device, among all processes of a user on a machine.

use crate::io::disk::read_bounded;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The variable that names another folder for the locks.
pub const FOLDER: &str = "RUNNER_LOCKS";

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
}

/// Locks that are held; dropping them lets go, unless a process that inherited them still lives.
#[derive(Debug)]
pub struct Locks {
    files: Vec<File>,
}

impl Locks {
    /// For processes to inherit.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.files.iter().map(AsFd::as_fd)
    }
}

/// The locks of all these devices (`cpu`, `cuda-0`), or none of them.
///
/// # Errors
/// Where the folder of the locks is not ours or cannot be written.
pub fn try_lock(names: &[String]) -> Result<Option<Locks>> {
    let folder = folder()?;
    let mut sorted = names.to_vec();
    sorted.sort();
    let mut files = Vec::new();
    for name in &sorted {
        let path = folder.join(file(name));
        let told = || format!("locking {}", path.display());
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path);
        let mut opened = opened.with_context(told)?;
        match opened.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).with_context(told),
        }
        let holder = Holder {
            pid: std::process::id(),
        };
        // Only for the message of whoever waits.
        let _ = opened.set_len(0);
        let _ = opened.rewind();
        let _ = opened.write_all(serde_json::to_string(&holder)?.as_bytes());
        files.push(opened);
    }
    Ok(Some(Locks { files }))
}

/// Who locked the device last; whoever did may have let go.
pub fn holder(name: &str) -> Option<Holder> {
    let path = folder().ok()?.join(file(name));
    serde_json::from_slice(&read_bounded(&path, 4096).ok()?).ok()
}

fn file(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect::<String>() + ".lock"
}

/// The folder of the locks: the same one for every process of this user, whatever its environment, unless [`FOLDER`] says
/// otherwise.
fn folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        return Ok(folder);
    }
    // SAFETY: geteuid cannot fail and touches no memory.
    let user = unsafe { libc::geteuid() };
    let folder = Path::new("/tmp").join(format!("runner-{user}"));
    let made = DirBuilder::new().mode(0o700).create(&folder);
    if let Err(error) = made {
        ensure!(
            error.kind() == std::io::ErrorKind::AlreadyExists,
            "making {}: {error}",
            folder.display()
        );
    }
    let meta = fs::symlink_metadata(&folder)?;
    ensure!(
        meta.is_dir() && meta.uid() == user,
        "{} is no folder of this user\nhint: remove it, or name another folder with {FOLDER}",
        folder.display()
    );
    Ok(folder)
}
