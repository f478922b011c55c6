//! One result of a store: its files against its manifest, and its manifest against the files.

use crate::io::numpy::npz;
use crate::jobs::files::damage::{BROKEN, GONE, differs};
use crate::jobs::files::parts;
use crate::jobs::files::results::TRAINING_LOG;
use crate::run::damage::found::{Depth, Known, files};
use crate::run::damage::needs::KINDS;
use crate::run::lease::record::Found;
use crate::run::manifest::{COPY, Copy, MANIFEST, Manifest};
use crate::run::store::{Entry, OWN};
use crate::run::verify::alive::{in_work, is_lease};
use crate::run::verify::problem::{Cure, Problem};
use crate::run::work::makers::MAKER;
use std::path::Path;
use walkdir::WalkDir;

/// Where a result stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Finished,
    /// Begun, and nobody works on it.
    Unfinished,
    /// Somebody makes it now: its files are not looked at.
    InWork,
}

/// What was found of one result.
#[derive(Debug)]
pub struct Verified {
    pub stands: Stands,
    pub problems: Vec<Problem>,
    /// What is no fault and worth knowing.
    pub notes: Vec<String>,
    /// Its manifest, where it is whole or has a copy.
    pub manifest: Option<Manifest>,
}

/// Looks at every file of a result, unless one of the `living` workers makes it.
pub fn verify(entry: &Entry, living: &[Found]) -> Verified {
    let folder = &entry.folder;
    let mut found = Verified {
        stands: Stands::InWork,
        problems: Vec::new(),
        notes: Vec::new(),
        manifest: None,
    };
    if in_work(folder, living) {
        return found;
    }
    let known = Known::of(folder);
    let recover = || Cure::Recover {
        folder: folder.clone(),
    };
    if let Known::Copied(_, why) | Known::Lost(why) = &known {
        found.problem(&folder.join(MANIFEST), why, recover());
    }
    found.stands = match &known {
        Known::Unfinished => Stands::Unfinished,
        _ => Stands::Finished,
    };
    if let Known::Whole(manifest) | Known::Copied(manifest, _) = known {
        match files(folder, &manifest, Depth::All) {
            Ok(damaged) => {
                for file in damaged {
                    found.problem(&file.path, &file.why, recover());
                }
            }
            Err(error) => found.unreadable(folder, &error),
        }
        training_log(folder, &manifest, &mut found);
        copy(folder, &manifest, &mut found);
        found.manifest = Some(manifest);
    }
    others(folder, &mut found);
    found
}

fn training_log(folder: &Path, manifest: &Manifest, found: &mut Verified) {
    let Some(stored) = manifest.files.get(TRAINING_LOG) else {
        return;
    };
    let path = folder.join(TRAINING_LOG);
    match differs(&path, stored.bytes, &stored.sha256) {
        Ok(None) => {}
        Ok(Some(why)) => found.problem(
            &path,
            &format!("{why}; nothing reads it"),
            Cure::Unname {
                folder: folder.to_path_buf(),
                name: TRAINING_LOG.to_string(),
            },
        ),
        Err(error) => found.unreadable(&path, &error),
    }
}

/// Results of versions that kept nothing twice have no copy, which is no fault.
fn copy(folder: &Path, manifest: &Manifest, found: &mut Verified) {
    let path = folder.join(COPY);
    let whole = Copy::read(folder).is_some_and(|copy| copy.is_of(manifest));
    if !whole && (path.exists() || manifest_is_new(folder)) {
        let why = if path.exists() {
            "it is not as it was written"
        } else {
            GONE
        };
        let folder = folder.to_path_buf();
        found.problem(&path, why, Cure::WriteCopy { folder });
    }
}

fn manifest_is_new(folder: &Path) -> bool {
    Manifest::is_sealed(folder)
}

/// Files that no manifest names.
fn others(folder: &Path, found: &mut Verified) {
    let mut broken = 0;
    for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.unreadable(folder, &error.into());
                continue;
            }
        };
        let path = entry.path();
        let below = path.strip_prefix(folder).unwrap_or(path);
        let name = below.to_string_lossy();
        let last = entry.file_name().to_string_lossy();
        let named = |m: &Manifest| m.files.contains_key(&*name);
        let known = OWN.contains(&&*name) || name == COPY;
        if entry.file_type().is_dir() || known || found.manifest.as_ref().is_some_and(named) {
            continue;
        }
        if last.ends_with(&format!(".{BROKEN}")) {
            broken += 1;
        } else if is_lease(&last) || last.starts_with('.') || last.starts_with(MAKER) {
            // A file that was being written is told with what else is left over, and so is a lease; who made a part counts
            // once all is made.
        } else if KINDS
            .iter()
            .any(|kind| parts::range_of(&last, kind).is_some())
        {
            if let Err(error) = npz::verify(path) {
                let folder = folder.to_path_buf();
                let why = error.root_cause().to_string();
                found.problem(path, &why, Cure::Recover { folder });
            }
        } else if found.stands == Stands::Finished && found.manifest.is_some() {
            let folder = folder.to_path_buf();
            let why = "the manifest names no such file";
            found.problem(path, why, Cure::SetAside { folder });
        }
    }
    if broken > 0 {
        found.notes.push(format!(
            "{}: {broken} damaged files are kept as NAME.{BROKEN}; remove them when nobody wants to look at them",
            folder.display()
        ));
    }
}

impl Verified {
    fn problem(&mut self, path: &Path, what: &str, cure: Cure) {
        self.problems.push(Problem {
            path: path.to_path_buf(),
            what: what.to_string(),
            cure,
        });
    }

    fn unreadable(&mut self, path: &Path, error: &anyhow::Error) {
        let what = format!("{error:#}");
        let cure = Cure::Command(format!("chmod -R u+rwX {}", path.display()));
        self.problem(path, &what, cure);
    }
}
