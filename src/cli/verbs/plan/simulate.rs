//! `runner plan --simulate N`: how long it would take on N workers, and what holds it up.

use crate::cli::screen::terminal::{duration, out, short, table};
use crate::cli::verbs::plan::budget::{Kind, device_time};
use crate::cli::verbs::plan::expected::{Expected, Source, Time};
use crate::jobs::stage::Stage;
use crate::run::plan::Plan;
use crate::run::simulate::files::{FileSystem, HEARTBEAT, OF_HEARTBEAT, file_system};
use crate::run::simulate::summary::{Summary, WORTH};
use crate::run::simulate::tasks::tasks;
use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

/// Rows that the chart of workers has at most; more workers are grouped.
const ROWS: usize = 16;
/// Characters of a worker that is always busy.
const BAR: usize = 40;

#[derive(Args, Debug, Clone)]
pub struct SimulateArgs {
    /// Simulate so many workers of one device each: wall time, idle time, what holds it up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub simulate: Option<u16>,
    /// Seconds in which a simulated worker opens the nets of another job
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds, requires = "simulate")]
    pub load: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("a number of seconds is needed, such as 5".to_string()),
    }
}

/// A simulation of a plan, with what its numbers stand for.
pub struct Simulation<'a> {
    plan: &'a Plan,
    expected: &'a Expected,
    kind: Kind,
    load: f64,
    /// Positions in the plan of what was simulated.
    open: Vec<usize>,
    summary: Summary,
}

impl<'a> Simulation<'a> {
    /// # Errors
    /// Where jobs are to run and the time of none is known.
    pub fn new(
        plan: &'a Plan,
        expected: &'a Expected,
        kind: Kind,
        (workers, load): (u16, f64),
    ) -> Result<Simulation<'a>> {
        let seconds = |n| expected.of(n).time.map_or(0.0, |time: Time| time.seconds);
        let seconds: Vec<f64> = (0..plan.items.len()).map(seconds).collect();
        let (open, tasks) = tasks(plan, &seconds, load);
        ensure!(
            open.is_empty() || open.iter().any(|&n| expected.of(n).time.is_some()),
            "the time of none of the {} jobs to run is known\nhint: `runner plan` without --json and --no-probe measures this machine; for another one, say how fast it is: --rate 85.6",
            open.len()
        );
        Ok(Simulation {
            plan,
            expected,
            kind,
            load,
            summary: Summary::of(&tasks, workers.into()),
            open,
        })
    }

    /// A time of the simulation, which is as good as those of the jobs.
    fn time(&self, seconds: f64) -> Time {
        let of = |&n: &usize| self.expected.of(n).time;
        let mut times = self.open.iter().filter_map(of);
        let estimated = times.any(|time| time.source == Source::Estimated);
        let source = if estimated {
            Source::Estimated
        } else {
            Source::Measured
        };
        Time { seconds, source }
    }

    /// Stages with jobs whose time is not known, and how many.
    fn unknown(&self) -> Vec<(Stage, usize)> {
        let untimed = |stage: &Stage| {
            let own = self.open.iter().filter(|&&n| {
                self.plan.items[n].job.stage() == *stage && self.expected.of(n).time.is_none()
            });
            (*stage, own.count())
        };
        let each = Stage::ALL.iter().map(untimed);
        each.filter(|(_, count)| *count > 0).collect()
    }

    /// The stage with the most work, and its share of all work.
    fn largest(&self) -> (Stage, f64) {
        let of = |stage: Stage| -> f64 {
            let own = self.open.iter();
            let own = own.filter(|&&n| self.plan.items[n].job.stage() == stage);
            own.filter_map(|&n| Some(self.expected.of(n).time?.seconds))
                .sum()
        };
        let all: f64 = Stage::ALL.into_iter().map(of).sum();
        let most = Stage::ALL.into_iter().map(|stage| (stage, of(stage)));
        let most = most.max_by(|a, b| a.1.total_cmp(&b.1));
        most.map_or((Stage::Sample, 0.0), |(stage, seconds)| {
            (stage, if all > 0.0 { seconds / all } else { 0.0 })
        })
    }

    /// The jobs of the longest chain, by their positions in the plan.
    fn path(&self) -> Vec<usize> {
        let tasks = self.summary.path.tasks.iter();
        tasks.map(|&task| self.open[task]).collect()
    }

    /// The smallest, the middle and the largest idle share.
    fn idle(&self) -> (f64, f64, f64) {
        let mut idle = self.summary.schedule.idle();
        idle.sort_by(f64::total_cmp);
        (idle[0], idle[idle.len() / 2], idle[idle.len() - 1])
    }

    /// Operations of all jobs, and those a second of all workers.
    fn operations(&self) -> (f64, f64) {
        let mut all = FileSystem::default();
        for &n in &self.open {
            all += file_system(self.plan, n);
        }
        let jobs = all.operations.total() as f64;
        let workers = self.summary.asked.workers as f64;
        let beats = workers * OF_HEARTBEAT as f64 / HEARTBEAT;
        let wall = self.summary.asked.wall;
        let rate = if wall > 0.0 { jobs / wall } else { 0.0 };
        (jobs + beats * wall, rate + beats)
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let (operations, rate) = self.operations();
        let mut lines = vec![
            ("wall time", self.wall_words()),
            ("idle", self.idle_words()),
            ("opening nets", self.loading_words()),
            ("bottleneck", self.bottleneck_words()),
            ("critical path", self.path_words()),
            (
                "file system",
                format!(
                    "{} operations with heartbeats, {rate:.1} a second",
                    short(operations)
                ),
            ),
        ];
        for (stage, jobs) in self.unknown() {
            let jobs = format!("the time of {jobs} {stage} jobs, which count as none");
            lines.push(("not known", jobs));
        }
        let row = |(name, text): (&str, String)| vec![name.to_string(), text];
        lines.into_iter().map(row).collect()
    }

    fn wall_words(&self) -> String {
        let Summary { asked, alone, .. } = &self.summary;
        format!(
            "{}; one worker takes {}: {:.1} times as fast",
            self.time(asked.wall).words(),
            device_time(self.time(*alone)),
            asked.speed_up
        )
    }

    fn idle_words(&self) -> String {
        let (low, middle, high) = self.idle();
        format!(
            "min {}, median {}, max {} of a worker's time",
            percent(low),
            percent(middle),
            percent(high)
        )
    }

    fn loading_words(&self) -> String {
        let workers = self.summary.schedule.workers.iter();
        let loading: f64 = workers.clone().map(|worker| worker.loading).sum();
        let busy: f64 = workers.map(|worker| worker.seconds).sum();
        format!(
            "{} s whenever a worker comes to another job: {} of the work",
            self.load,
            percent(if busy > 0.0 { loading / busy } else { 0.0 })
        )
    }

    fn bottleneck_words(&self) -> String {
        if self.summary.is_held_by_path() {
            return "the critical path: more workers do not help".to_string();
        }
        let (stage, share) = self.largest();
        format!("{stage}, {} of the work", percent(share))
    }

    fn path_words(&self) -> String {
        let path = self.path();
        let link = |&n: &usize| self.plan.items[n].job.stage().to_string();
        let links: Vec<String> = path.iter().map(link).collect();
        let cell = path.last().map(|&n| self.plan.first_cell(n));
        format!(
            "{}: {} of cell {}; no number of workers is faster",
            duration(self.summary.path.seconds),
            links.join(", "),
            cell.map_or(String::new(), |cell| cell
                .title()
                .trim_start_matches("cell ")
                .to_string())
        )
    }

    /// A bar for each worker, or for groups of them.
    fn chart(&self) -> Vec<Vec<String>> {
        let idle = self.summary.schedule.idle();
        let size = idle.len().div_ceil(ROWS);
        let mut rows = vec![vec!["worker".to_string(), "busy".to_string()]];
        for (group, shares) in idle.chunks(size).enumerate() {
            let busy = 1.0 - shares.iter().sum::<f64>() / shares.len() as f64;
            let first = group * size + 1;
            let name = match shares.len() {
                1 => first.to_string(),
                n => format!("{first}-{}", first + n - 1),
            };
            let full = (busy * BAR as f64).round() as usize;
            let bar = format!("{}{}", "#".repeat(full), ".".repeat(BAR - full.min(BAR)));
            rows.push(vec![name, format!("{bar} {}", percent(busy))]);
        }
        rows
    }

    fn numbers(&self) -> Vec<Vec<String>> {
        let head = ["workers", "wall time", "speed-up", "efficiency"];
        let mut rows = vec![head.map(String::from).to_vec()];
        for tried in &self.summary.tried {
            rows.push(vec![
                tried.workers.to_string(),
                duration(tried.wall),
                format!("{:.1}", tried.speed_up),
                percent(tried.efficiency()),
            ]);
        }
        rows
    }

    pub fn print(&self) -> Result<()> {
        if self.open.is_empty() {
            return out("nothing is to run: all jobs are stored");
        }
        let n = self.summary.asked.workers;
        let (workers, each) = if n == 1 {
            ("worker", "")
        } else {
            ("workers", " each")
        };
        let kind = self.kind.name();
        out(&format!("{n} {workers} of one {kind}{each}:"))?;
        out(&table(&self.lines(), &[]))?;
        out("")?;
        out(&table(&self.chart(), &[true]))?;
        out("")?;
        out(&table(&self.numbers(), &[true; 4]))?;
        out(&format!(
            "  of these, {} is the largest number of which each is of use for {} of its time",
            self.summary.worth(),
            percent(WORTH)
        ))
    }

    pub fn json(&self) -> Value {
        let Summary {
            asked,
            schedule,
            alone,
            path,
            tried,
        } = &self.summary;
        let (stage, share) = self.largest();
        let (operations, rate) = self.operations();
        let job = |n: usize| {
            let item = &self.plan.items[n];
            json!({
                "stage": item.job.stage().name(),
                "key": item.key.full(),
                "cell": self.plan.first_cell(n).index,
            })
        };
        let path_jobs: Vec<Value> = self.path().into_iter().map(job).collect();
        let tried = tried.iter().map(|tried| {
            json!({
                "workers": tried.workers,
                "wall_seconds": tried.wall,
                "speed_up": tried.speed_up,
                "efficiency": tried.efficiency(),
            })
        });
        let unknown = self.unknown().into_iter();
        let unknown = unknown.map(|(stage, jobs)| json!({"stage": stage.name(), "jobs": jobs}));
        let held_by = if self.summary.is_held_by_path() {
            "critical path"
        } else {
            "workers"
        };
        json!({
            "workers": asked.workers,
            "wall_seconds": asked.wall,
            "one_worker_seconds": alone,
            "speed_up": asked.speed_up,
            "efficiency": asked.efficiency(),
            "seconds_from": self.time(0.0).source.name(),
            "load_seconds": self.load,
            "busy_seconds": schedule.workers.iter().map(|w| w.seconds).collect::<Vec<_>>(),
            "loading_seconds": schedule.workers.iter().map(|w| w.loading).collect::<Vec<_>>(),
            "idle": schedule.idle(),
            "largest_stage": {"stage": stage.name(), "share": share},
            "held_by": held_by,
            "critical_path": {"seconds": path.seconds, "jobs": path_jobs},
            "operations": operations,
            "operations_a_second": rate,
            "worth": self.summary.worth(),
            "tried": tried.collect::<Vec<_>>(),
            "not_known": unknown.collect::<Vec<_>>(),
        })
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
