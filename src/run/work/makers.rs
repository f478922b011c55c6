//! Who made which share of a result that several workers made: a file each in its folder until it is whole.

use crate::io::disk::{read_json, replace_unsynced, writer};
use crate::process::table;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// What the names of the files begin with.
pub const MAKER: &str = "maker-";

/// A worker's share of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maker {
    pub host: String,
    pub device: String,
    /// When its first part was begun; RFC 3339, UTC, by its own clock.
    pub started: String,
    /// Spent on parts, by its own clock.
    pub seconds: f64,
    pub parts: u64,
}

impl Maker {
    /// This process on a device, before its first part.
    pub fn own(device: &str) -> Maker {
        Maker {
            host: table::host(),
            device: device.to_string(),
            started: jiff::Timestamp::now().to_string(),
            seconds: 0.0,
            parts: 0,
        }
    }

    /// Writes it down in the folder of the result.
    pub fn write(&self, folder: &Path) {
        let device = self.device.replace([':', '/'], "-");
        let path = folder.join(format!("{MAKER}{}-{device}.json", writer()));
        if let Ok(text) = serde_json::to_vec_pretty(self) {
            // Only for the record: a full disk is told by the part itself.
            let _ = replace_unsynced(&path, &text);
        }
    }
}

/// Those who have told in `folder`, the first one first: all but those who are just writing it down.
pub fn makers(folder: &Path) -> Vec<Maker> {
    let mut makers: Vec<Maker> = files(folder)
        .filter_map(|path| read_json(&path).ok())
        .collect();
    makers.sort_by(|a, b| a.started.cmp(&b.started));
    makers
}

/// Removes what they told, once it stands in a manifest.
pub fn remove(folder: &Path) {
    for path in files(folder) {
        let _ = fs::remove_file(path);
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(MAKER)
    })
}
