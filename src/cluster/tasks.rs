//! Where the submitted workers are, as squeue tells it: text of a few fields, which all versions print alike.

use crate::cluster::call::{Answer, call};
use crate::cluster::ledger::{Ledger, Submission};
use anyhow::{Result, ensure};

/// A worker as the scheduler knows it: one task of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The job name, which is the tag of its submission.
    pub tag: String,
    /// The number of the array.
    pub array: u64,
    /// Its place in the array; None for the one row that is left of pending tasks that were cancelled together.
    pub index: Option<usize>,
    pub state: TaskState,
    pub reason: String,
    pub node: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    Pending,
    Running,
    Ended(End),
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Slurm's word: `COMPLETED`, `TIMEOUT`, ...
    pub word: String,
    /// Its exit code, where it exited by itself.
    pub code: Option<i32>,
}

/// The words of a job that will not run any more. Every other word is of one that may: new versions bring new ones.
const ENDS: [&str; 10] = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
];

const WAITS: [&str; 4] = ["PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"];

const FIELDS: &str = "Name:|,ArrayJobID:|,ArrayTaskID:|,State:|,exit_code:|,NodeList:|,Reason:|";

/// The tasks of the submissions with these tags that the controller still remembers; None where it does not answer, which
/// says nothing of them.
///
/// # Errors
/// As [`call`].
pub fn look(tags: &[String]) -> Result<Option<Vec<Task>>> {
    if tags.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let names = tags.join(",");
    let arguments = ["--me", "-h", "-r", "-t", "all", "-n", &names, "-O", FIELDS];
    Ok(match call("squeue", &arguments.map(String::from))? {
        Answer::Said(lines) => Some(lines.iter().filter_map(|line| task(line)).collect()),
        Answer::Failed(_) | Answer::Silent => None,
    })
}

/// Ends the tasks of the submissions with these tags, all or those that have not started. False where the controller does
/// not answer.
///
/// # Errors
/// As [`call`].
pub fn cancel(tags: &[String], which: Which) -> Result<bool> {
    let mut done = true;
    for tag in tags {
        let mut arguments = vec!["--me".to_string(), format!("--name={tag}")];
        if which == Which::Pending {
            arguments.push("--state=PENDING".to_string());
        }
        done &= matches!(call("scancel", &arguments)?, Answer::Said(_));
    }
    Ok(done)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those that have not started.
    Pending,
}

/// Ends the workers of a sweep, and whoever submits for it; how many arrays that were.
///
/// # Errors
/// Where Slurm is not here or does not answer, or the store cannot be written.
pub fn call_off(ledger: &Ledger) -> Result<usize> {
    let records = ledger.read()?;
    let open: Vec<Submission> = records
        .into_iter()
        .filter(|record| !record.closed)
        .collect();
    if ledger.folder().exists() {
        ledger.call_off()?;
    }
    let tags: Vec<String> = open.iter().map(|record| record.tag.clone()).collect();
    ensure!(
        cancel(&tags, Which::All)?,
        "Slurm does not answer\nhint: try the same command again"
    );
    for record in &open {
        ledger.write(&Submission {
            closed: true,
            ..record.clone()
        })?;
    }
    Ok(open.len())
}

/// A line of squeue; None for what is none, such as a notice of the site's.
fn task(line: &str) -> Option<Task> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [tag, array, index, state, code, node, reason, ..] = fields.as_slice() else {
        return None;
    };
    let state = match *state {
        end if ENDS.contains(&end) => TaskState::Ended(End {
            word: end.to_string(),
            code: code.parse().ok().and_then(exit_code),
        }),
        waits if WAITS.contains(&waits) => TaskState::Pending,
        _ => TaskState::Running,
    };
    Some(Task {
        tag: tag.to_string(),
        array: array.parse().ok()?,
        index: index.parse().ok(),
        state,
        reason: reason.to_string(),
        node: node.to_string(),
    })
}

/// The exit code in a status as wait(2) gives it: its low seven bits are the signal that ended the process, if one did.
fn exit_code(status: u32) -> Option<i32> {
    (status & 0x7f == 0).then_some((status >> 8 & 0xff) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_squeue_is_read_and_a_notice_is_not() {
        let failed = task("runner-1-2|2|3|FAILED|768|n1|NonZeroExitCode|").unwrap();
        assert_eq!((failed.array, failed.index), (2, Some(3)));
        let end = |word: &str, code| {
            TaskState::Ended(End {
                word: word.to_string(),
                code,
            })
        };
        assert_eq!(failed.state, end("FAILED", Some(3)));
        let ended = task("t|9|N/A|CANCELLED|15||None|").unwrap();
        assert_eq!((ended.index, ended.state), (None, end("CANCELLED", None)));
        let waits = task("t|9|0|PENDING|0||Resources|").unwrap();
        assert_eq!(
            (waits.state, waits.reason.as_str()),
            (TaskState::Pending, "Resources")
        );
        assert_eq!(
            task("t|9|0|COMPLETING|0|n1|None|").unwrap().state,
            TaskState::Running
        );
        assert_eq!(
            task("t|9|0|A_NEW_WORD|0|n1|None|").unwrap().state,
            TaskState::Running
        );
        assert_eq!(task("Welcome to the cluster"), None);
        assert_eq!(task("a|b|c|d|e|f|g|"), None);
    }
}
