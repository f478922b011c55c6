//! Which workers live, and so which results are in work.

use crate::process::table;
use crate::run::lease::entry::{LEASE, holder};
use crate::run::lease::record::{Found, workers};
use crate::run::store::Store;
use std::path::Path;
use std::time::Duration;

/// A worker of another machine that was not heard of for so long is dead, and a file that was not written to for so long
/// is nobody's.
pub const SILENT: Duration = Duration::from_secs(600);
/// A record of this machine may be younger than the look at its process.
const JUST_NOW: Duration = Duration::from_secs(60);

/// The workers that a store knows.
pub struct Workers {
    pub dead: Vec<Found>,
    pub living: Vec<Found>,
}

impl Workers {
    pub fn of(store: &Store) -> Workers {
        let (dead, living) = workers(store.root()).into_iter().partition(is_dead);
        Workers { dead, living }
    }
}

fn is_dead(worker: &Found) -> bool {
    let record = &worker.record;
    if record.host == table::host() && table::is_shown() {
        let now = table::born(record.pid);
        let same = now.is_some() && (record.born.is_none() || now == record.born);
        if !same {
            return worker.age.is_none_or(|age| age > JUST_NOW);
        }
        return false;
    }
    worker.age.is_some_and(|age| age > SILENT)
}

/// Whether somebody works in a folder, or has claimed a part of it.
pub fn in_work(folder: &Path, living: &[Found]) -> bool {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut claims = entries.filter(|entry| is_claim(&entry.file_name().to_string_lossy()));
    holder(folder).is_some() || claims.any(|claim| lives(&claim.path(), living))
}

/// The name of a file that claims a part.
pub fn is_claim(name: &str) -> bool {
    name.ends_with(".lease") && !name.starts_with('.')
}

/// Whether a file is the lease or the claim of somebody who lives.
pub fn is_held(path: &Path, living: &[Found]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name == LEASE {
        path.parent().is_some_and(|folder| holder(folder).is_some())
    } else {
        is_claim(&name) && lives(path, living)
    }
}

/// Whether a claim is young, or names a worker that lives.
fn lives(claim: &Path, living: &[Found]) -> bool {
    let changed = std::fs::metadata(claim).and_then(|meta| meta.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok());
    let text = std::fs::read_to_string(claim).unwrap_or_default();
    age.is_none_or(|age| age < SILENT) || living.iter().any(|w| text.contains(&w.record.id))
}
