//! The partial file of a download, and the small files beside it.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// `a/NAME` → `a/NAME.ending`
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{ending}"));
    path.with_file_name(name)
}

/// The partial file, ours alone until this goes.
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough where a child process has inherited the handle; a lock that stays is only told later.
        let _ = self.0.unlock();
    }
}

/// Takes the partial file, made where it is not.
pub fn lock(part: &Path) -> Result<Lock> {
    let writing = || format!("writing {}", part.display());
    if let Some(folder) = part.parent() {
        fs::create_dir_all(folder).with_context(writing)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(part);
    let file = file.with_context(writing)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            bail!("{} is being fetched by another runner", part.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(writing),
    }
}

pub fn length(path: &Path) -> Result<u64> {
    let meta = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(meta.len())
}

pub fn truncate(part: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).truncate(true).open(part);
    file.with_context(|| format!("writing {}", part.display()))?;
    Ok(())
}

pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// In lower-case hex.
pub fn sha256(path: &Path) -> Result<String> {
    let reading = || format!("reading {}", path.display());
    let mut file = File::open(path).with_context(reading)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        match file.read(&mut buffer).with_context(reading)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
