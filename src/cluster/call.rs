//! Slurm's commands, each under a limit of time: a controller that is down keeps them waiting.

use crate::process::command::{Command, Ended, Stream, run};
use crate::process::environment;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How long a command of Slurm's may take.
const LIMIT: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(2);

/// What a command said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The lines of stdout.
    Said(Vec<String>),
    /// It failed, with these lines on stderr.
    Failed(Vec<String>),
    /// It did not end in time.
    Silent,
}

/// Runs one of Slurm's commands.
///
/// # Errors
/// Where it cannot be started: Slurm is not on this machine.
pub fn call(program: &str, arguments: &[String]) -> Result<Answer> {
    let argv: Vec<String> = [&[program.to_string()], arguments].concat();
    let command = Command {
        argv: &argv,
        folder: Path::new("."),
        environment: variables(),
        keep_open: Vec::new(),
        timeout: Some(LIMIT),
        grace: GRACE,
        record: None,
    };
    let (out, err) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let line = |stream: Stream, line: &str| {
        let lines = match stream {
            Stream::Stdout => &out,
            Stream::Stderr => &err,
        };
        if let Ok(mut lines) = lines.lock() {
            lines.push(line.to_string());
        }
    };
    let finished = match run(&command, &line, &mut || {}, &AtomicBool::new(false)) {
        Ok(finished) => finished,
        Err(error) => bail!(
            "Slurm's `{program}` cannot be run here: {error:#}\nhint: start the sweep on a login node of the cluster; without Slurm, start `runner work FILE --store DIR` on each machine"
        ),
    };
    let lines = |said: Mutex<Vec<String>>| said.into_inner().unwrap_or_else(|e| e.into_inner());
    Ok(match finished.ended {
        Ended::Exited(0) => Answer::Said(lines(out)),
        Ended::TimedOut | Ended::Stopped => Answer::Silent,
        Ended::Exited(_) | Ended::Killed(_) => Answer::Failed(lines(err)),
    })
}

/// This program's environment without the settings that Slurm takes from there: inside a job, or in a shell where some are
/// set, they would have a say in what is submitted. SLURM_CONF says which cluster is meant.
fn variables() -> Vec<(OsString, OsString)> {
    const OF_SLURM: [&str; 6] = [
        "SLURM_",
        "SBATCH_",
        "SQUEUE_",
        "SCANCEL_",
        "SCONTROL_",
        "SLURMD_",
    ];
    let of_slurm = |name: &OsString| {
        let name = name.to_string_lossy();
        name != "SLURM_CONF" && OF_SLURM.iter().any(|prefix| name.starts_with(prefix))
    };
    let mut all = environment::named(&["*"]);
    all.retain(|(name, _)| !of_slurm(name));
    all.push(("LC_ALL".into(), "C".into()));
    all
}

/// What Slurm's configuration limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most tasks of an array.
    pub array: usize,
    /// How long it remembers what has ended.
    pub memory: Duration,
}

/// Asks the controller for its limits; None where it does not answer.
///
/// # Errors
/// As [`call`].
pub fn limits() -> Result<Option<Limits>> {
    let arguments = ["show", "config"].map(String::from);
    Ok(match call("scontrol", &arguments)? {
        Answer::Said(lines) => Some(Limits {
            array: number(&lines, "MaxArraySize").unwrap_or(1001).max(1),
            memory: Duration::from_secs(number(&lines, "MinJobAge").unwrap_or(300) as u64),
        }),
        Answer::Failed(_) | Answer::Silent => None,
    })
}

/// The number of a line such as `MaxArraySize            = 1001`.
fn number(lines: &[String], key: &str) -> Option<usize> {
    let mut values = lines.iter().filter_map(|line| line.split_once('='));
    let (_, value) = values.find(|(name, _)| name.trim() == key)?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn limits_are_found_by_their_whole_name() {
        let lines = [
            "Configuration data as of 2026-01-01T00:00:00",
            "MaxArraySize            = 5",
            "MinJobAge               = 300 sec",
        ];
        let lines = lines.map(String::from);
        assert_eq!(number(&lines, "MaxArraySize"), Some(5));
        assert_eq!(number(&lines, "MinJobAge"), Some(300));
        assert_eq!(number(&lines, "ArraySize"), None);
    }
}
