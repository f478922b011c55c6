//! The bytes of listed files, read from any thread.

use crate::data::container::listing::Spot;
use crate::data::container::window::Window;
use anyhow::{Result, bail};
use std::fs::File;
use std::io::Read;
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
