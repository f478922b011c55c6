//! What is wrong with the files of one result, without touching any.

use crate::experiment::key::Key;
use crate::jobs::files::damage::{GONE, differs, told};
use crate::run::manifest::{Copy, MANIFEST, Manifest, SMALL, Stored};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// How a manifest stands.
#[derive(Debug)]
pub enum Known {
    /// It is there and whole.
    Whole(Manifest),
    /// It is damaged or gone, as the words say; its copy is whole.
    Copied(Manifest, String),
    /// It is damaged, as the words say, and there is no copy.
    Lost(String),
    /// The result was never finished.
    Unfinished,
}

impl Known {
    /// What is known of the result in `folder`, whose name begins its key.
    pub fn of(folder: &Path) -> Known {
        let own = |key: &Key| folder.file_name().is_some_and(|name| name == key.short());
        let why = match Manifest::read(folder) {
            Ok(Some(manifest)) if own(&manifest.key) => return Known::Whole(manifest),
            Ok(Some(manifest)) => format!("it is that of the key {}", manifest.key),
            Ok(None) => GONE.to_string(),
            Err(error) => error.root_cause().to_string(),
        };
        let copy = Copy::read(folder).and_then(|copy| copy.manifest());
        match copy.filter(|manifest| own(&manifest.key)) {
            Some(manifest) => Known::Copied(manifest, why),
            None if why == GONE => Known::Unfinished,
            None => Known::Lost(why),
        }
    }

    /// What is said of the manifest itself, where it is not whole.
    pub fn told(&self, folder: &Path) -> Option<String> {
        let path = folder.join(MANIFEST);
        match self {
            Known::Whole(_) | Known::Unfinished => None,
            Known::Copied(_, why) => Some(restored(&path, why)),
            Known::Lost(why) => Some(told(&path, why)),
        }
    }
}

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub name: String,
    pub path: PathBuf,
    /// How it differs.
    pub why: String,
    /// Its text, where it is kept twice and the copy is whole.
    pub copy: Option<String>,
}

impl Found {
    /// In a sentence, with what becomes of it.
    pub fn told(&self) -> String {
        if self.copy.is_some() {
            restored(&self.path, &self.why)
        } else {
            told(&self.path, &self.why)
        }
    }
}

fn restored(path: &Path, why: &str) -> String {
    let path = path.display();
    if why == GONE {
        format!("{path} was {GONE}; it is written again from its copy")
    } else {
        format!("{path} was damaged ({why}); it is written again from its copy")
    }
}

/// Which files are looked at byte by byte; of the others the size is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Small,
    All,
}

/// The files that make the result and are not as `manifest` says.
///
/// # Errors
/// Where a file is there and cannot be read.
pub fn files(folder: &Path, manifest: &Manifest, depth: Depth) -> Result<Vec<Found>> {
    let copy = Copy::read(folder);
    let mut found = Vec::new();
    for (name, stored) in manifest.counted() {
        let path = folder.join(name);
        if depth == Depth::Small && stored.bytes > SMALL && has_size(&path, stored) {
            continue;
        }
        if let Some(why) = differs(&path, stored.bytes, &stored.sha256)? {
            let copy = copy.as_ref().and_then(|copy| copy.text(name, stored));
            found.push(Found {
                name: name.clone(),
                copy: copy.map(str::to_string),
                path,
                why,
            });
        }
    }
    Ok(found)
}

/// All that is wrong with a result, a sentence each.
///
/// # Errors
/// Where a file is there and cannot be read.
pub fn all(folder: &Path, depth: Depth) -> Result<Vec<String>> {
    let known = Known::of(folder);
    let mut lines: Vec<String> = known.told(folder).into_iter().collect();
    if let Known::Whole(manifest) | Known::Copied(manifest, _) = &known {
        let found = files(folder, manifest, depth)?;
        lines.extend(found.iter().map(Found::told));
    }
    Ok(lines)
}

fn has_size(path: &Path, stored: &Stored) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.len() == stored.bytes)
}
