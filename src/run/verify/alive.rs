//! Which workers live, and so which results are in work.

use crate::jobs::files::parts::LEASE;
use crate::run::lease::holder::{Holder, Read, read};
use crate::run::lease::living::{Life, life};
use crate::run::lease::record::{Found, workers};
use crate::run::store::Store;
use std::path::Path;
use std::time::Duration;

/// A worker of another machine that was not heard of for so long is dead, and a file that was not written to for so long
/// is nobody's. One look has nothing to compare a heartbeat with, so that its age has to do.
pub const SILENT: Duration = Duration::from_secs(600);

/// The workers that a store knows.
pub struct Workers {
    pub dead: Vec<Found>,
    pub living: Vec<Found>,
}

impl Workers {
    pub fn of(store: &Store) -> Workers {
        let is_dead = |worker: &Found| match life(&worker.record.holder()) {
            Life::Lives => false,
            Life::Dead => true,
            Life::OutOfSight => worker.age.is_some_and(|age| age > SILENT),
        };
        let (dead, living) = workers(store.root()).into_iter().partition(is_dead);
        Workers { dead, living }
    }
}

/// Whether somebody works in a folder, on the whole or on a part.
pub fn in_work(folder: &Path, living: &[Found]) -> bool {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut leases = entries.map(|entry| entry.path());
    leases.any(|lease| is_held(&lease, living))
}

/// The name of a lease.
pub fn is_lease(name: &str) -> bool {
    name.ends_with(LEASE) && !name.starts_with('.')
}

/// Whether a file is the lease of somebody who lives.
pub fn is_held(path: &Path, living: &[Found]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    is_lease(&name)
        && match read(path) {
            Read::Free => false,
            Read::Held(holder) => lives(&holder, living),
            // Its holder may just be writing it.
            Read::Unreadable => std::fs::metadata(path)
                .and_then(|meta| meta.modified())
                .is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age < SILENT)),
        }
}

fn lives(holder: &Holder, living: &[Found]) -> bool {
    match life(holder) {
        Life::Lives => true,
        Life::Dead => false,
        Life::OutOfSight => living.iter().any(|w| w.record.id == holder.worker),
    }
}
