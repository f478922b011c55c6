//! The workers of a store, as a table for people.

use crate::cli::screen::terminal::{duration, table, thousands};
use crate::run::lease::record::{Doing, Found, WorkerRecord};
use crate::run::plan::Plan;
use std::collections::HashMap;
use std::time::Duration;

/// A worker that has told nothing for longer has probably ended.
const SILENT: Duration = Duration::from_secs(90);

/// A worker's record with the places in the plan of what it does.
pub struct Shown {
    pub record: WorkerRecord,
    pub age: Option<Duration>,
    /// One for each of `record.doing`: the position in `Plan::items`; none where the job is another study's.
    pub items: Vec<Option<usize>>,
    /// One for each of `record.doing`: `cell 3 steps=25`.
    pub at: Vec<String>,
}

impl Shown {
    /// Whether its last heartbeat is long ago by these clocks. One whose age is not known is taken to live.
    pub fn silent(&self) -> bool {
        self.age.is_some_and(|age| age > SILENT)
    }

    /// Devices that it serves.
    pub fn devices(&self) -> usize {
        self.record.device.split(',').count()
    }

    /// `4 s ago`, `silent for 3 min 20 s`.
    pub fn heartbeat(&self) -> String {
        match self.age {
            None => "not known".to_string(),
            Some(age) if self.silent() => format!("silent for {}", duration(age.as_secs_f64())),
            Some(age) => format!("{} s ago", age.as_secs()),
        }
    }
}

/// The workers, those that are silent last.
pub fn shown(plan: &Plan, found: Vec<Found>) -> Vec<Shown> {
    let items = plan.items.iter().enumerate();
    let items: HashMap<&str, usize> = items.map(|(n, item)| (item.key.full(), n)).collect();
    let mut workers: Vec<Shown> = found
        .into_iter()
        .map(|Found { record, age }| {
            let item = |doing: &Doing| items.get(doing.key.as_str()).copied();
            let known: Vec<Option<usize>> = record.doing.iter().map(item).collect();
            let at = known.iter().map(|item| place(plan, *item));
            Shown {
                at: at.collect(),
                items: known,
                age,
                record,
            }
        })
        .collect();
    workers.sort_by_key(Shown::silent);
    workers
}

/// `cell 3 steps=25 (+2)`, as the sweep says it.
fn place(plan: &Plan, item: Option<usize>) -> String {
    let Some(item) = item else {
        return "of another study".to_string();
    };
    let cell = plan.first_cell(item);
    let more = match plan.items[item].cells.len() {
        1 => String::new(),
        n => format!(" (+{})", n - 1),
    };
    format!("cell {} {}{more}", cell.index, cell.label())
        .trim_end()
        .to_string()
}

/// The heads of the table of workers.
pub const HEADS: [&str; 9] = [
    "host",
    "device",
    "process",
    "does",
    "at",
    "so far",
    "rate",
    "jobs",
    "heartbeat",
];

/// The table's lines: one for each job that a worker is at, what is the worker's own in the first of them.
pub fn lines(workers: &[Shown]) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for worker in workers {
        let record = &worker.record;
        let scheduler = record.scheduler.as_ref();
        let process = match scheduler {
            Some(job) => format!("{} ({job})", record.pid),
            None => record.pid.to_string(),
        };
        let jobs = format!("{} done, {} failed", record.done, record.failed);
        let waits = [String::new(), String::new(), String::new()];
        if record.doing.is_empty() {
            let [at, so_far, rate] = waits;
            lines.push(vec![
                record.host.clone(),
                record.device.clone(),
                process,
                "waits".to_string(),
                at,
                so_far,
                rate,
                jobs,
                worker.heartbeat(),
            ]);
            continue;
        }
        for (i, doing) in record.doing.iter().enumerate() {
            let first = |text: &str| {
                if i == 0 {
                    text.to_string()
                } else {
                    String::new()
                }
            };
            lines.push(vec![
                first(&record.host),
                doing.device.clone(),
                first(&process),
                doing.stage.clone(),
                worker.at[i].clone(),
                so_far(doing),
                rate(doing),
                first(&jobs),
                first(&worker.heartbeat()),
            ]);
        }
    }
    lines
}

/// `3,000 / 50,000 images, at 000000-001000`.
fn so_far(doing: &Doing) -> String {
    let counted = match doing.unit.as_str() {
        "" => String::new(),
        unit => format!(
            "{} / {} {unit}",
            thousands(doing.done),
            thousands(doing.total)
        ),
    };
    match (&doing.part, counted.as_str()) {
        (None, _) => counted,
        (Some(part), "") => part.clone(),
        (Some(part), _) => format!("{counted}, at {part}"),
    }
}

/// `17.2 images/s`, `34 images/min` where it is slow.
fn rate(doing: &Doing) -> String {
    match doing.per_second {
        Some(rate) if rate >= 1.0 => format!("{rate:.1} {}/s", doing.unit),
        Some(rate) if rate > 0.0 => format!("{:.1} {}/min", rate * 60.0, doing.unit),
        _ => String::new(),
    }
}

/// The table, and under it what silence means where somebody is silent.
pub fn text(workers: &[Shown]) -> String {
    let mut rows = vec![HEADS.map(String::from).to_vec()];
    rows.extend(lines(workers));
    let mut text = table(&rows, &[]);
    if workers.iter().any(Shown::silent) {
        text += "\n  silent: no heartbeat for more than 90 s, by the clocks of this machine and of the file system";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(age: Option<u64>, doing: Vec<Doing>) -> Shown {
        let count = doing.len();
        Shown {
            record: WorkerRecord {
                id: "w".into(),
                host: "node1".into(),
                pid: 4711,
                born: None,
                namespace: None,
                device: "cuda:0,cuda:1".into(),
                scheduler: Some("slurm 123_4".into()),
                runner: "0.1.0".into(),
                started: "2026-01-01T00:00:00Z".into(),
                beat: 7,
                done: 12,
                failed: 1,
                doing,
            },
            age: age.map(Duration::from_secs),
            items: vec![None; count],
            at: vec!["cell 3 steps=25".into(); count],
        }
    }

    fn doing(device: &str, part: Option<&str>, per_second: Option<f64>) -> Doing {
        Doing {
            stage: "sample".into(),
            key: "0".repeat(64),
            device: device.into(),
            part: part.map(String::from),
            done: 3000,
            total: 50_000,
            unit: "images".into(),
            per_second,
            since: "2026-01-01T00:00:00Z".into(),
        }
    }

    #[test]
    fn a_heartbeat_is_told_by_its_age() {
        let told = |age| worker(age, Vec::new()).heartbeat();
        assert_eq!(told(Some(4)), "4 s ago");
        assert_eq!(told(Some(90)), "90 s ago");
        assert_eq!(told(Some(200)), "silent for 3 min 20 s");
        assert_eq!(told(None), "not known");
        assert!(!worker(None, Vec::new()).silent());
    }

    #[test]
    fn a_worker_of_two_devices_has_two_lines_and_its_own_words_once() {
        let part = Some("images-003000-004000");
        let two = vec![
            doing("cuda:0", part, Some(17.25)),
            doing("cuda:1", None, Some(0.5)),
        ];
        let lines = lines(&[worker(Some(4), two)]);
        assert_eq!(
            lines[0].join("|"),
            "node1|cuda:0|4711 (slurm 123_4)|sample|cell 3 steps=25|3,000 / 50,000 images, at images-003000-004000|17.2 images/s|12 done, 1 failed|4 s ago"
        );
        assert_eq!(
            lines[1].join("|"),
            "|cuda:1||sample|cell 3 steps=25|3,000 / 50,000 images|30.0 images/min||"
        );
    }

    #[test]
    fn who_does_nothing_waits_and_who_is_silent_is_explained() {
        let text = text(&[worker(Some(400), Vec::new())]);
        assert!(text.contains("waits"), "{text}");
        assert!(text.contains("silent for 6 min 40 s"), "{text}");
        assert!(
            text.contains("silent: no heartbeat for more than 90 s"),
            "{text}"
        );
    }
}
