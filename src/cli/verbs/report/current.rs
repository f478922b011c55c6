//! Whether a report that was written is that of what is stored now: a sweep with nothing to do need not write it again.

use crate::cli::open::Opened;
use crate::experiment::key::hex;
use crate::io::disk::{read_json, write_json};
use crate::run::store::State;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use walkdir::WalkDir;

/// The folder of the store that holds a note on each report.
const REPORTS: &str = "reports";

/// What a report was made from, and how its files were left.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    folder: PathBuf,
    /// sha256 of the program, the experiment and the results.
    made_of: String,
    files: BTreeMap<PathBuf, Left>,
}

/// A file as it was left.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Left {
    bytes: u64,
    /// Nanoseconds since 1970, by the file system; two of them are only compared for being the same.
    changed: Option<u64>,
}

/// The report of what is stored now, as far as it is known whether it was written already.
pub struct Current<'a> {
    note: PathBuf,
    folder: &'a Path,
    made_of: String,
}

impl<'a> Current<'a> {
    /// None where some cell is not finished: what its row says of it changes by itself.
    pub fn of(opened: &Opened, folder: &'a Path) -> Option<Current<'a>> {
        let mut made_of = Sha256::new();
        let mut add = |text: &str| {
            made_of.update((text.len() as u64).to_le_bytes());
            made_of.update(text.as_bytes());
        };
        let program = std::env::current_exe().ok()?;
        add(&format!("{:?}", left(&program)?));
        add(&opened.sweep.resolved);
        add(&format!("{:?}", opened.sweep.published));
        for cell in opened.sweep.cells.iter() {
            add(&format!("{} {:?}", cell.index, cell.at));
        }
        for item in &opened.plan.items {
            let State::Stored(manifest) = &item.state else {
                return None;
            };
            add(item.key.full());
            add(&format!(
                "{} {} {:?}",
                manifest.started, manifest.seconds, manifest.count
            ));
        }
        let whole = std::path::absolute(folder).ok()?;
        let name = hex(&Sha256::digest(whole.as_os_str().as_encoded_bytes()));
        Some(Current {
            note: (opened.store.root().join(REPORTS)).join(format!("{}.json", &name[..16])),
            folder,
            made_of: hex(&made_of.finalize()),
        })
    }

    /// Whether it was written, and none of its files was changed, taken away or added since.
    pub fn is_written(&self) -> bool {
        read_json::<Note>(&self.note).is_ok_and(|note| note == self.note())
    }

    /// Notes that it is written now. A store that cannot be written keeps no notes.
    pub fn written(&self) {
        if let Some(folder) = self.note.parent()
            && std::fs::create_dir_all(folder).is_ok()
        {
            let _ = write_json(&self.note, &self.note());
        }
    }

    fn note(&self) -> Note {
        let files = WalkDir::new(self.folder).into_iter().flatten();
        let files = files.filter(|entry| entry.file_type().is_file());
        let named = files.filter_map(|entry| {
            let path = entry.into_path();
            let left = left(&path)?;
            Some((path, left))
        });
        Note {
            folder: self.folder.to_path_buf(),
            made_of: self.made_of.clone(),
            files: named.collect(),
        }
    }
}

fn left(path: &Path) -> Option<Left> {
    let meta = std::fs::metadata(path).ok()?;
    let changed = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok();
    Some(Left {
        bytes: meta.len(),
        changed: changed.map(|since| since.as_nanos() as u64),
    })
}
