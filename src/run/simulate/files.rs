//! What a job asks of the file system that holds the store: files, and operations on their names.

use crate::jobs::job::Job;
use crate::run::plan::Plan;
use crate::run::simulate::tasks::division;
use std::ops::AddAssign;

/// Seconds between two heartbeats of a worker, and the operations of one: a temporary file is made and renamed over the
/// last one, and the lease that the worker holds is read.
pub const HEARTBEAT: f64 = 5.0;
pub const OF_HEARTBEAT: u64 = 3;

/// Operations on names, those that a metadata server answers; reading and writing of what is in the files is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Files and folders that are made, temporary ones and leases too.
    pub creates: u64,
    pub renames: u64,
    pub removals: u64,
    /// Of files to read, and of folders to list or sync.
    pub opens: u64,
    pub stats: u64,
}

impl Operations {
    pub fn total(&self) -> u64 {
        self.creates + self.renames + self.removals + self.opens + self.stats
    }

    fn times(self, count: u64) -> Operations {
        Operations {
            creates: self.creates * count,
            renames: self.renames * count,
            removals: self.removals * count,
            opens: self.opens * count,
            stats: self.stats * count,
        }
    }
}

impl AddAssign for Operations {
    fn add_assign(&mut self, other: Operations) {
        self.creates += other.creates;
        self.renames += other.renames;
        self.removals += other.removals;
        self.opens += other.opens;
        self.stats += other.stats;
    }
}

/// A file that is written aside and renamed; its folder is synced.
const WRITTEN: Operations = Operations {
    creates: 1,
    renames: 1,
    removals: 0,
    opens: 1,
    stats: 0,
};

/// The lease of a part, which is read once more before it is let go; the looks at which parts are there, before it is taken
/// and after; and the note on who made the part.
const CLAIMED: Operations = Operations {
    creates: 2,
    renames: 1,
    removals: 1,
    opens: 3,
    stats: 0,
};

/// A result beside its files: the folder, its log and its lease are made; an old failure, mark and lease are removed; its
/// manifest and job are read and its folder is listed, before the work and after it.
const BEGUN: Operations = Operations {
    creates: 3,
    renames: 0,
    removals: 3,
    opens: 5,
    stats: 2,
};

/// A file of the result is opened for its digest, and looked at for its size then and when the result is next planned.
const SETTLED: Operations = Operations {
    creates: 0,
    renames: 0,
    removals: 0,
    opens: 1,
    stats: 2,
};

/// What one job asks of the file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSystem {
    /// Files and folders that stay.
    pub inodes: u64,
    pub operations: Operations,
}

impl AddAssign for FileSystem {
    fn add_assign(&mut self, other: FileSystem) {
        self.inodes += other.inodes;
        self.operations += other.operations;
    }
}

/// What item `n` asks of it; files that a program of the user's makes besides are not counted.
pub fn file_system(plan: &Plan, n: usize) -> FileSystem {
    let parts = division(plan, n).map(|division| division.parts as u64);
    let files = match &plan.items[n].job {
        // The weights, those that are kept, their list and the log of the losses.
        Job::Train(job) => 2 + job.train.files(),
        // The scores, what each image adds to them, and how they came about.
        Job::Metrics(job) => 2 + u64::from(job.space().is_published()),
        _ => parts.unwrap_or(1),
    };
    let mut operations = BEGUN;
    // job.toml, the manifest and its copy beside the result's own files.
    operations += WRITTEN.times(3 + files);
    operations += CLAIMED.times(parts.unwrap_or(0));
    operations += SETTLED.times(files);
    match &plan.items[n].job {
        // Each part of images is opened for its features, and each part of features for the scores.
        Job::Features(_) => operations.opens += files,
        Job::Metrics(_) => {
            let need = plan.items[n].needs.first();
            let read = need.and_then(|&need| division(plan, need));
            operations.opens += read.map_or(1, |division| division.parts as u64);
        }
        // What a killed training goes on from, each time it is saved.
        Job::Train(job) => {
            operations += WRITTEN.times(job.train.updates() / job.train.checkpoint_every.max(1));
        }
        _ => {}
    }
    FileSystem {
        // The folder, job.toml, the log, the manifest and its copy.
        inodes: 5 + files,
        operations,
    }
}
