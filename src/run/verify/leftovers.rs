//! What stands beside the results: answers of other commands, and what dead processes have left.

use crate::io::numpy::npz;
use crate::jobs::files::damage::BROKEN;
use crate::run::lease::holder::WORKERS;
use crate::run::lease::record::Found;
use crate::run::store::{ANSWERS, Store};
use crate::run::verify::alive::{SILENT, Workers, in_work, is_held, is_lease};
use crate::run::verify::problem::{Cure, Problem};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// Everything that is left over or does not read, outside what the manifests of results name.
pub fn verify(store: &Store) -> Vec<Problem> {
    let root = store.root();
    let Workers { dead, living } = Workers::of(store);
    let mut problems: Vec<Problem> = dead.iter().map(|worker| record(root, worker)).collect();
    let all = WalkDir::new(root).min_depth(1).sort_by_file_name();
    let files: Vec<DirEntry> = all
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .collect();
    let of_file = |entry: &DirEntry| {
        half_written(entry, &living)
            .or_else(|| lease(entry, &living))
            .or_else(|| answer(root, entry))
    };
    problems.extend(files.par_iter().filter_map(of_file).collect::<Vec<_>>());
    problems
}

fn record(root: &Path, worker: &Found) -> Problem {
    let record = &worker.record;
    Problem {
        path: root.join(WORKERS).join(format!("{}.json", record.id)),
        what: format!(
            "its worker, process {} on {}, is dead",
            record.pid, record.host
        ),
        cure: remove(&root.join(WORKERS)),
    }
}

/// `.NAME.PID-N.part`, and names of former versions.
fn half_written(entry: &DirEntry, living: &[Found]) -> Option<Problem> {
    let name = entry.file_name().to_string_lossy();
    let temporary = name.starts_with('.') && (name.ends_with(".part") || name.ends_with(".tmp"));
    if !(temporary || name.starts_with(".probe-")) {
        return None;
    }
    let changed = entry.metadata().ok()?.modified().ok()?;
    if changed.elapsed().is_ok_and(|age| age < SILENT) {
        return None;
    }
    let folder = entry.path().parent()?;
    if in_work(folder, living) {
        return None;
    }
    Some(Problem {
        path: entry.path().to_path_buf(),
        what: "left half-written".to_string(),
        cure: remove(folder),
    })
}

/// A lease that nobody holds any more.
fn lease(entry: &DirEntry, living: &[Found]) -> Option<Problem> {
    let name = entry.file_name().to_string_lossy();
    let folder = entry.path().parent()?;
    if !is_lease(&name) {
        return None;
    }
    (!is_held(entry.path(), living)).then(|| Problem {
        path: entry.path().to_path_buf(),
        what: "its holder is dead".to_string(),
        cure: remove(folder),
    })
}

/// An npz of `score`, `likelihood` or `reconstruct` that does not read.
fn answer(root: &Path, entry: &DirEntry) -> Option<Problem> {
    let path = entry.path();
    let below = path.strip_prefix(root).ok()?;
    let first = below.components().next()?.as_os_str();
    ANSWERS.iter().find(|(folder, _)| first == *folder)?;
    let name = entry.file_name().to_string_lossy();
    if name.starts_with('.') || name.ends_with(&format!(".{BROKEN}")) {
        return None;
    }
    let read = match path.extension()?.to_str()? {
        "npz" => npz::verify(path),
        "json" => crate::io::disk::read_json::<serde_json::Value>(path).map(|_| ()),
        _ => return None,
    };
    let error = read.err()?;
    Some(Problem {
        path: path.to_path_buf(),
        what: error.root_cause().to_string(),
        cure: Cure::SetAside {
            folder: PathBuf::from(path.parent()?),
        },
    })
}

fn remove(folder: &Path) -> Cure {
    Cure::Remove {
        folder: folder.to_path_buf(),
    }
}
