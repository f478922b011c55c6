//! Results that a job reads and that are no longer whole.

use crate::jobs::files::damage::{GONE, set_aside, set_aside_because};
use crate::jobs::files::parts;
use crate::run::damage::found::{Depth, Known, files};
use crate::run::plan::{Item, Plan};
use crate::run::store::Store;
use anyhow::Result;
use std::path::Path;

/// The kinds of parts that stages leave to each other.
pub const KINDS: [&str; 2] = ["images", "features"];

/// A result that has to be made again.
#[derive(Debug)]
pub struct Damage {
    /// Its position in `Plan::items`.
    pub need: usize,
    /// What was found of its files, a sentence each.
    pub lines: Vec<String>,
}

/// The results that `item` reads and that are not all there, once their damaged files are set aside. A file is compared
/// with the digest of the result's manifest, a part that no manifest names yet with its own checksums.
///
/// # Errors
/// Where a file cannot be read or renamed.
pub fn damaged_needs(plan: &Plan, store: &Store, item: &Item) -> Result<Vec<Damage>> {
    let mut found = Vec::new();
    for &need in &item.needs {
        let made = &plan.items[need];
        let (stage, wanted) = (made.job.stage(), made.job.wanted());
        let folder = store.folder(stage, &made.key);
        let mut lines = Vec::new();
        if folder.is_dir() {
            if let Known::Whole(manifest) = Known::of(&folder) {
                for file in files(&folder, &manifest, Depth::All)? {
                    // What is kept twice is written again by whoever makes the result whole.
                    lines.push(if file.copy.is_some() || file.why == GONE {
                        file.told()
                    } else {
                        set_aside_because(&file.path, &file.why)?
                    });
                }
                lines.extend(unnamed(&folder, |name| !manifest.files.contains_key(name))?);
            } else {
                lines.extend(unnamed(&folder, |_| true)?);
            }
        }
        if !lines.is_empty() || !store.state(stage, &made.key, &wanted).stored() {
            found.push(Damage { need, lines });
        }
    }
    Ok(found)
}

/// Sets aside the parts of these names whose own checksums fail.
pub fn unnamed(folder: &Path, which: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for kind in KINDS {
        for part in parts::present(folder, kind)? {
            let name = part.path.file_name().unwrap_or_default().to_string_lossy();
            if which(&name) {
                lines.extend(set_aside(&part.path)?);
            }
        }
    }
    Ok(lines)
}
