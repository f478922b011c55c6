//! The file that a worker keeps in the store: who it is and what it does, written anew with every heartbeat.

use crate::io::disk::read_json;
use crate::run::lease::holder::{Holder, WORKERS};
use crate::run::lease::living::{Life, life};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A process that works on a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// The name of its file, and what its leases hold.
    pub id: String,
    pub host: String,
    pub pid: u32,
    /// When the process was started, in the kernel's ticks: a reused pid is not the same process.
    pub born: Option<u64>,
    /// The start of the machine and the container within which `pid` means something.
    pub namespace: Option<String>,
    /// `cpu`, `cuda:0`; several with commas where one process serves them.
    pub device: String,
    /// The job of a scheduler that it runs in, such as `slurm 123_4`.
    pub scheduler: Option<String>,
    /// `runner`'s own version.
    pub runner: String,
    /// RFC 3339, UTC, by the worker's own clock.
    pub started: String,
    /// Heartbeats so far: other processes judge by its change, never by a clock.
    pub beat: u64,
    /// Jobs that it has finished, and jobs in which it failed.
    pub done: u64,
    pub failed: u64,
    /// What it is at, one of each of its devices.
    pub doing: Vec<Doing>,
}

/// A job that a worker is at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doing {
    pub stage: String,
    /// The full key.
    pub key: String,
    pub device: String,
    /// `images-000000-001000`, where it makes one part of the result.
    pub part: Option<String>,
    /// So much of the whole result is there.
    pub done: u64,
    pub total: u64,
    /// What `done` counts: `images`, `steps`; empty before the first is told.
    pub unit: String,
    /// Units a second since it began, once there is a measure.
    pub per_second: Option<f64>,
    /// RFC 3339, UTC, by the worker's own clock.
    pub since: String,
}

impl WorkerRecord {
    /// The worker as a lease names it.
    pub fn holder(&self) -> Holder {
        Holder {
            worker: self.id.clone(),
            host: self.host.clone(),
            pid: self.pid,
            born: self.born,
            namespace: self.namespace.clone(),
            device: self.device.clone(),
            since: self.started.clone(),
            nonce: 0,
        }
    }
}

/// A worker's record as another process finds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub record: WorkerRecord,
    /// Since its last heartbeat, by the clocks of this machine and of the file system; for people to read, not to judge by.
    pub age: Option<Duration>,
}

impl Found {
    /// False where the table of processes shows that it is dead; of a worker out of sight its age has to tell.
    pub fn lives(&self) -> bool {
        life(&self.record.holder()) != Life::Dead
    }
}

/// Every record of the store in `root` that can be read, by host and process.
pub fn workers(root: &Path) -> Vec<Found> {
    let files = fs::read_dir(root.join(WORKERS)).into_iter().flatten();
    let mut found: Vec<Found> = files
        .flatten()
        .filter_map(|file| {
            let changed = file.metadata().and_then(|meta| meta.modified()).ok();
            Some(Found {
                record: read_json(&file.path()).ok()?,
                age: changed.and_then(|time| time.elapsed().ok()),
            })
        })
        .collect();
    found.sort_by(|a, b| {
        let of = |found: &Found| (found.record.host.clone(), found.record.pid);
        of(a).cmp(&of(b))
    });
    found
}
