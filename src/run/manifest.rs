//! What is known of a finished result: written last, by rename, so that its presence means done.

use crate::experiment::key::{Key, digest_file};
use crate::jobs::files::damage::BROKEN;
use crate::jobs::files::parts::LEASE;
use crate::run::work::makers::{MAKER, Maker};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use walkdir::WalkDir;

pub const MANIFEST: &str = "manifest.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub key: Key,
    pub stage: String,
    /// The stage's VERSION.
    pub version: u32,
    /// Images 0..count are there; None where the result is one whole.
    pub count: Option<usize>,
    /// `runner`'s own version.
    pub runner: String,
    /// Recorded, not hashed: an edit of the README must not cost 50,000 images.
    pub git: Option<Git>,
    pub device: String,
    pub host: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// Of the run that finished the result.
    pub seconds: f64,
    /// The workers that made its parts, where it is made of parts; a part whose maker had not told yet is not among theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makers: Vec<Maker>,
    /// Files outside the store that were read.
    pub inputs: Vec<Input>,
    /// Results in the store that were read.
    pub needs: Vec<Key>,
    pub files: BTreeMap<String, Stored>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Git {
    pub commit: String,
    pub dirty: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub path: PathBuf,
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// All its files are there in their sizes.
    pub fn holds(&self, folder: &Path) -> bool {
        self.files.iter().all(|(name, stored)| {
            let meta = std::fs::metadata(folder.join(name));
            meta.is_ok_and(|meta| meta.len() == stored.bytes)
        })
    }

    /// Seconds of one device that the whole result took, however many workers shared it.
    pub fn device_seconds(&self) -> f64 {
        let shares: f64 = self.makers.iter().map(|maker| maker.seconds).sum();
        if shares > 0.0 { shares } else { self.seconds }
    }

    pub fn bytes(&self) -> u64 {
        self.files.values().map(|stored| stored.bytes).sum()
    }
}

/// Digests of the files in `folder` and below it that are results, by their paths from there.
pub fn files(folder: &Path, own: &[&str]) -> Result<BTreeMap<String, Stored>> {
    let mut found = BTreeMap::new();
    let reading = || format!("reading {}", folder.display());
    // Hidden names are files that are being written.
    let walk = WalkDir::new(folder).into_iter().filter_entry(|entry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    });
    for entry in walk {
        let entry = entry.with_context(reading)?;
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name = path.to_string_lossy().into_owned();
        let other =
            own.contains(&name.as_str()) || name.ends_with(LEASE) || name.starts_with(MAKER);
        let other = other || name.ends_with(&format!(".{BROKEN}"));
        if other || !entry.file_type().is_file() {
            continue;
        }
        let stored = Stored {
            bytes: entry.metadata().with_context(reading)?.len(),
            sha256: digest_file(entry.path())?,
        };
        found.insert(name, stored);
    }
    Ok(found)
}

/// The commit of the working folder; None outside a repository.
pub fn git() -> Option<Git> {
    static GIT: OnceLock<Option<Git>> = OnceLock::new();
    let ask = |args: &[&str]| {
        let out = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8_lossy(&out.stdout).trim().to_string();
        out.status.success().then_some(text)
    };
    GIT.get_or_init(|| {
        Some(Git {
            commit: ask(&["rev-parse", "HEAD"])?,
            dirty: !ask(&["status", "--porcelain", "--untracked-files=no"])?.is_empty(),
        })
    })
    .clone()
}
