//! Sending an array of workers to the scheduler.

use crate::cluster::call::{Answer, call};
use crate::cluster::groups::Group;
use crate::cluster::ledger::{Ledger, Submission};
use crate::process::environment::BASIC;
use anyhow::Result;

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// As the array of this number.
    Accepted(u64),
    /// It may have arrived or not.
    Unknown,
    /// The user has as many jobs as are allowed, in sbatch's words.
    Full(String),
    /// In sbatch's words.
    Refused(String),
}

/// Parts of sbatch's errors after which the submission may have arrived all the same, or will when it is sent again.
const UNKNOWN: [&str; 6] = [
    "timed out",
    "Unable to contact",
    "Connection refused",
    "temporarily unable",
    "Connection reset",
    "Zero Bytes were transmitted",
];

/// Parts of sbatch's errors where only the number of jobs is too high.
const FULL: [&str; 5] = [
    "MaxSubmitJob",
    "MaxSubmitPU",
    "MaxSubmitPA",
    "QOSMaxSubmit",
    "AssocMaxSubmit",
];

/// Sends `submission`, which is written down already, with the script that is in its place.
///
/// # Errors
/// Where sbatch cannot be started.
pub fn send(ledger: &Ledger, submission: &Submission, group: &Group) -> Result<Sent> {
    Ok(
        match call("sbatch", &arguments(ledger, submission, group))? {
            Answer::Said(lines) => number(&lines).map_or(Sent::Unknown, Sent::Accepted),
            Answer::Silent => Sent::Unknown,
            Answer::Failed(lines) => refused(&lines),
        },
    )
}

fn refused(lines: &[String]) -> Sent {
    let said = |parts: &[&str]| {
        parts
            .iter()
            .any(|part| lines.iter().any(|l| l.contains(part)))
    };
    let text = || {
        let lines = lines.iter().map(|line| line.trim_start_matches("sbatch: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    if said(&UNKNOWN) {
        Sent::Unknown
    } else if said(&FULL) {
        Sent::Full(text())
    } else {
        Sent::Refused(text())
    }
}

/// The number of the array in what `sbatch --parsable` prints, `12` or `12;cluster`; a site may print lines of its own.
fn number(lines: &[String]) -> Option<u64> {
    let numbers = lines.iter().rev();
    let mut numbers = numbers.filter_map(|line| line.split(';').next()?.trim().parse().ok());
    numbers.next()
}

/// The words after `sbatch`.
pub fn arguments(ledger: &Ledger, submission: &Submission, group: &Group) -> Vec<String> {
    let asks = &group.asks;
    // In names of logs `%` begins a pattern.
    let logs = ledger.logs().display().to_string().replace('%', "%%");
    let mut words = vec![
        "--parsable".to_string(),
        format!("--job-name={}", submission.tag),
        format!("--array=0-{}", submission.workers.saturating_sub(1)),
        // Lost workers are replaced by the sweep: Slurm's own repetition may run beside the first.
        "--no-requeue".to_string(),
        format!("--output={logs}/%A_%a.log"),
        "--open-mode=append".to_string(),
        format!("--signal=B:TERM@{}", group.signal_before()),
        format!("--export={}", variables(group)),
    ];
    let gres = match (asks.gpus, &asks.gres) {
        (Some(gpus), _) if gpus > 0 => Some(format!("gpu:{gpus}")),
        (_, gres) => gres.clone(),
    };
    let options = [
        ("partition", asks.partition.clone()),
        ("account", asks.account.clone()),
        ("qos", asks.qos.clone()),
        ("constraint", asks.constraint.clone()),
        ("time", asks.time.clone()),
        ("cpus-per-task", asks.cpus.map(|cpus| cpus.to_string())),
        ("mem", asks.mem.clone()),
        ("gres", gres),
    ];
    for (name, value) in options {
        words.extend(value.map(|value| format!("--{name}={value}")));
    }
    let mut exclude = submission.exclude.clone();
    for option in asks.extra.iter().flatten() {
        match option.strip_prefix("--exclude=") {
            // Of an option that comes twice the last counts.
            Some(nodes) => exclude.insert(0, nodes.to_string()),
            None => words.push(option.clone()),
        }
    }
    if !exclude.is_empty() {
        words.push(format!("--exclude={}", exclude.join(",")));
    }
    words.push(ledger.script(&submission.tag).display().to_string());
    words
}

/// The variables that a worker inherits by name: what a program cannot do without, where this program's files are, and what
/// the user names. Their values stand in no file.
fn variables(group: &Group) -> String {
    let basic = BASIC
        .iter()
        .filter(|name| !name.contains('*') && **name != "TMPDIR");
    let own = ["RUNNER_CACHE", "RUNNER_SHARE", "RUNNER_WEIGHTS"];
    let named = group.asks.env.iter().flatten();
    let named = named.map(String::as_str).filter(|name| !name.contains('='));
    let names: Vec<&str> = basic.copied().chain(own).chain(named).collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(String::from).collect()
    }

    #[test]
    fn the_number_is_the_last_line_that_is_one() {
        assert_eq!(number(&lines("12")), Some(12));
        assert_eq!(number(&lines("7 days left\n12;alpha\nWelcome")), Some(12));
        assert_eq!(number(&lines("Submitted batch job")), None);
    }

    #[test]
    fn sbatch_is_asked_for_what_the_table_says_and_for_no_repetition() {
        let text = |text: &str| Some(text.to_string());
        let group = Group {
            stages: vec![crate::jobs::stage::Stage::Sample],
            asks: crate::experiment::file::slurm::Slurm {
                partition: text("gpu"),
                time: text("4:00:00"),
                gpus: Some(2),
                env: Some(vec!["HF_HOME".into(), "A=b".into()]),
                extra: Some(vec!["--exclude=n1".into(), "--exclusive".into()]),
                ..Default::default()
            },
        };
        let submission = Submission {
            tag: "runner-a-1".into(),
            stages: vec!["sample".into()],
            workers: 3,
            id: None,
            exclude: vec!["n2".into()],
            at: String::new(),
            closed: false,
        };
        let ledger = Ledger::of(std::path::Path::new("/s/100%"), &["a"]);
        let words = arguments(&ledger, &submission, &group);
        for word in [
            "--job-name=runner-a-1",
            "--array=0-2",
            "--no-requeue",
            "--signal=B:TERM@90",
            "--partition=gpu",
            "--time=4:00:00",
            "--gres=gpu:2",
            "--exclude=n1,n2",
            "--exclusive",
        ] {
            assert!(words.iter().any(|known| known == word), "{word} {words:?}");
        }
        let named = |start: &str| words.iter().find(|word| word.starts_with(start)).cloned();
        let export = named("--export=").unwrap();
        assert!(
            export.contains(",HF_HOME") && !export.contains("A=b"),
            "{export}"
        );
        assert!(
            named("--output=")
                .unwrap()
                .starts_with("--output=/s/100%%/slurm/a-")
        );
        assert!(words.last().unwrap().ends_with("/runner-a-1.sh"));
    }

    #[test]
    fn errors_are_told_apart() {
        let unknown =
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation";
        assert_eq!(refused(&lines(unknown)), Sent::Unknown);
        let full = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed";
        assert!(matches!(refused(&lines(full)), Sent::Full(_)));
        let wrong = "sbatch: error: invalid partition specified: nope";
        let text = "error: invalid partition specified: nope";
        assert_eq!(refused(&lines(wrong)), Sent::Refused(text.into()));
    }
}
