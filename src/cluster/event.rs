//! What a sweep on a cluster tells as it goes.

use crate::cluster::tasks::End;
use crate::run::lease::holder::Holder;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub enum Event {
    /// An array was accepted.
    Submitted {
        id: u64,
        workers: usize,
        partition: Option<String>,
        stages: String,
    },
    /// An array of an earlier start of the same sweep, or one whose number was not known yet.
    Joined {
        id: u64,
        workers: usize,
        stages: String,
    },
    /// Another process submits for this sweep.
    Held(Option<Holder>),
    /// The controller does not answer.
    Silent,
    /// It answers again.
    Answers,
    /// sbatch takes no more for now, in its own words.
    Full(String),
    /// Workers that had not started were taken back, for no job of their stages is left.
    Withdrawn {
        id: u64,
        workers: usize,
    },
    /// A worker ended that was still needed, or may have been.
    Lost(Loss),
    /// Workers have waited for long for a reason that may never go away.
    Stuck {
        reason: String,
        workers: usize,
    },
    /// A job failed; a position of `Plan::items`.
    Failed(usize),
    Counts(Counts),
    /// Somebody ended the sweep by `--cancel`.
    Cancelled,
}

/// A worker that ended before its time.
#[derive(Clone, Debug)]
pub struct Loss {
    pub array: u64,
    pub index: usize,
    /// None where the controller forgot it before it was asked.
    pub end: Option<End>,
    pub reason: String,
    pub node: String,
    pub log: PathBuf,
    /// The last lines of its log.
    pub tail: Vec<String>,
}

/// How far the sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub stored: usize,
    pub jobs: usize,
    pub running: usize,
    pub pending: usize,
}
