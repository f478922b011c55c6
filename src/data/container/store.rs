//! The bytes of listed files, and of stretches of a file, read from any thread.

use crate::data::container::listing::Spot;
use anyhow::{Result, bail};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use zip::ZipArchive;

/// Where files lie.
pub(crate) enum Store {
    Folder(PathBuf),
    Tar(Arc<File>),
    Zip(Box<ZipArchive<Window>>),
}

impl Store {
    /// The file at `path`, whole or its first `limit` bytes.
    pub fn read(&self, path: &str, spot: &Spot, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match (self, spot) {
            (Store::Folder(root), Spot::Path) => {
                let file = File::open(root.join(path))?;
                file.take(limit).read_to_end(&mut bytes)?;
            }
            (Store::Folder(root), Spot::Raw(raw)) => {
                let file = File::open(root.join(raw))?;
                file.take(limit).read_to_end(&mut bytes)?;
            }
            (Store::Tar(file), Spot::Stretch { start, size }) => {
                bytes = vec![0; (*size).min(limit) as usize];
                file.read_exact_at(&mut bytes, *start)?;
            }
            (Store::Zip(archive), Spot::Entry(number)) => {
                // A clone shares the table of contents and has a place of its own in the file.
                let mut archive = archive.clone();
                let entry = archive.by_index(*number)?;
                entry.take(limit).read_to_end(&mut bytes)?;
            }
            _ => bail!("{path} is listed in another kind of collection"),
        }
        Ok(bytes)
    }
}

/// Reads a stretch of a file as if it were a file of its own; clones share the file and have places of their own in it.
#[derive(Clone)]
pub(crate) struct Window {
    pub file: Arc<File>,
    /// Where the stretch begins in the file, and its bytes.
    pub start: u64,
    pub length: u64,
    at: u64,
}

impl Window {
    /// The whole file.
    pub fn new(file: File) -> io::Result<Window> {
        let length = file.metadata()?.len();
        Ok(Window {
            file: Arc::new(file),
            start: 0,
            length,
            at: 0,
        })
    }

    /// A stretch of this one, from `start` on, which must lie within it.
    pub fn within(&self, start: u64, length: u64) -> Window {
        Window {
            file: self.file.clone(),
            start: self.start + start,
            length,
            at: 0,
        }
    }
}

impl Read for Window {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.at);
        let n = left.min(into.len() as u64) as usize;
        let n = self.file.read_at(&mut into[..n], self.start + self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        // Sums with `start` must not overflow either.
        let at = at.filter(|at| self.start.checked_add(*at).is_some());
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
