//! Workers that are lost, and workers that wait in vain.

use crate::cluster::event::Loss;
use crate::cluster::ledger::Ledger;
use crate::cluster::tasks::{Task, TaskState};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

/// Lines of a lost worker's log that are told.
const TAIL: usize = 5;
/// Bytes at the end of a log that are looked at.
const END: u64 = 8 << 10;

/// Exit codes of a worker that did what it could: nothing was left; a job failed, which the store tells; it was asked to stop.
const BY_ITSELF: [i32; 2] = [0, 1];

/// Why the worker counts as lost; None where it ended by itself. `task` is what the controller says of it, if it still does.
pub fn loss(ledger: &Ledger, array: u64, index: usize, task: Option<&Task>) -> Option<Loss> {
    let end = match task.map(|task| &task.state) {
        Some(TaskState::Ended(end)) => Some(end.clone()),
        _ => None,
    };
    let by_itself = |code: &i32| BY_ITSELF.contains(code);
    if end
        .as_ref()
        .is_some_and(|end| end.code.as_ref().is_some_and(by_itself))
        && !end.as_ref().is_some_and(|end| is_taken(&end.word))
    {
        return None;
    }
    let log = ledger.log(array, index);
    Some(Loss {
        array,
        index,
        end,
        reason: task.map(|task| task.reason.clone()).unwrap_or_default(),
        node: task.map(|task| task.node.clone()).unwrap_or_default(),
        tail: tail(&log),
        log,
    })
}

/// Words of ends that say more than the exit code beside them.
fn is_taken(word: &str) -> bool {
    !matches!(word, "COMPLETED" | "FAILED")
}

/// Why a worker was lost, in a line.
pub fn why(loss: &Loss) -> String {
    let Some(end) = &loss.end else {
        return "it is gone, and Slurm does not say why".to_string();
    };
    match (end.word.as_str(), end.code) {
        ("TIMEOUT", _) => "its time was over".to_string(),
        ("NODE_FAIL", _) => format!("its node {} failed", loss.node),
        ("PREEMPTED", _) => "it was preempted".to_string(),
        ("OUT_OF_MEMORY", _) => "it ran out of memory".to_string(),
        ("CANCELLED", _) => "it was cancelled".to_string(),
        ("FAILED", Some(130)) => "it was asked to stop, for its time was nearly over".to_string(),
        ("FAILED", Some(97)) => "its node does not see the working folder".to_string(),
        ("FAILED", Some(code)) => format!("exit status {code}"),
        (word, _) => format!("{word}, {}", loss.reason),
    }
}

/// The last lines of a log; none where there is none.
pub fn tail(path: &Path) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut bytes = Vec::new();
        file.take(END).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(TAIL)..];
    last.iter().map(|line| line.to_string()).collect()
}

/// How long a worker may wait for a reason that may never go away until that is told.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Workers that wait, by the reason that the controller gives.
#[derive(Default)]
pub struct Waiting {
    since: HashMap<String, Instant>,
    told: HashSet<String>,
}

impl Waiting {
    /// The reasons that are to be told now, each once, with how many workers wait for them.
    pub fn look(&mut self, tasks: &[Task], now: Instant) -> Vec<(String, usize)> {
        let pending = tasks.iter().filter(|task| task.state == TaskState::Pending);
        let mut counts: Vec<(String, usize)> = Vec::new();
        for task in pending.filter(|task| may_be_for_ever(&task.reason)) {
            match counts.iter_mut().find(|(reason, _)| *reason == task.reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((task.reason.clone(), 1)),
            }
        }
        self.since
            .retain(|reason, _| counts.iter().any(|(known, _)| known == reason));
        counts.retain(|(reason, _)| {
            let since = *self.since.entry(reason.clone()).or_insert(now);
            now.duration_since(since) >= PATIENCE && self.told.insert(reason.clone())
        });
        counts
    }
}

/// Whether a pending job may wait for this reason without end.
fn may_be_for_ever(reason: &str) -> bool {
    const WORDS: [&str; 10] = [
        "PartitionConfig",
        "PartitionDown",
        "PartitionInactive",
        "BadConstraints",
        "DependencyNeverSatisfied",
        "InvalidAccount",
        "InvalidQOS",
        "AccountNotAllowed",
        "QOSNotAllowed",
        "launch",
    ];
    let held = reason.starts_with("JobHeld") || reason.starts_with("ReqNodeNotAvail");
    let limit = reason.contains("Limit");
    held || limit || WORDS.iter().any(|word| reason.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(reason: &str) -> Task {
        Task {
            tag: "t".into(),
            array: 1,
            index: Some(0),
            state: TaskState::Pending,
            reason: reason.into(),
            node: String::new(),
        }
    }

    #[test]
    fn a_reason_is_told_once_after_a_minute_and_only_one_that_may_stay() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let tasks = [
            pending("PartitionConfig"),
            pending("Resources"),
            pending("PartitionConfig"),
        ];
        let mut at = |seconds| waiting.look(&tasks, start + Duration::from_secs(seconds));
        assert_eq!(at(0), []);
        assert_eq!(at(59), []);
        assert_eq!(at(60), [("PartitionConfig".to_string(), 2)]);
        assert_eq!(at(90), []);
    }

    #[test]
    fn a_reason_that_went_away_begins_anew() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let stuck = [pending("QOSMaxJobsPerUserLimit")];
        assert_eq!(waiting.look(&stuck, at(0)), []);
        assert_eq!(waiting.look(&[pending("Priority")], at(50)), []);
        assert_eq!(waiting.look(&stuck, at(70)), []);
        assert_eq!(waiting.look(&stuck, at(130)).len(), 1);
    }
}
