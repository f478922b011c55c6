//! What a plan takes by stage and in all: a device's time, disk, files, and operations on the file system.

use crate::cli::screen::terminal::{bytes, short, table, thousands};
use crate::cli::verbs::plan::expected::{Expected, Time};
use crate::jobs::stage::Stage;
use crate::run::plan::Plan;
use crate::run::simulate::files::{FileSystem, HEARTBEAT, OF_HEARTBEAT, file_system};

/// What the time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gpu,
    Cpu,
    /// The user said how fast it is, not what it is.
    Device,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gpu => "GPU",
            Kind::Cpu => "CPU",
            Kind::Device => "device",
        }
    }
}

/// Sums over jobs.
#[derive(Default)]
struct Needs {
    time: Option<Time>,
    /// Jobs whose time, and jobs whose size, is not known.
    untimed: usize,
    unmeasured: usize,
    bytes: u64,
    files: FileSystem,
}

impl Needs {
    fn of(plan: &Plan, items: &[usize], expected: &Expected) -> Needs {
        let mut needs = Needs::default();
        for &n in items {
            let forecast = expected.of(n);
            match forecast.time {
                Some(time) => needs.time = Some(needs.time.map_or(time, |sum| sum + time)),
                None => needs.untimed += 1,
            }
            match forecast.bytes {
                Some(bytes) => needs.bytes = needs.bytes.saturating_add(bytes),
                None => needs.unmeasured += 1,
            }
            needs.files += file_system(plan, n);
        }
        needs
    }

    fn row(&self, name: &str) -> Vec<String> {
        let besides = |known: Option<String>, jobs: usize| match (known, jobs) {
            (Some(known), 0) => known,
            (Some(known), 1) => format!("{known} + 1 job not known"),
            (Some(known), jobs) => format!("{known} + {jobs} jobs not known"),
            (None, _) => "not known".to_string(),
        };
        let size = (self.bytes > 0 || self.unmeasured == 0).then(|| bytes(self.bytes));
        vec![
            name.to_string(),
            besides(self.time.map(device_time), self.untimed),
            besides(size, self.unmeasured),
            thousands(self.files.inodes),
            short(self.files.operations.total() as f64),
        ]
    }
}

/// `31 s`, `2 h 10 min`; from a day on in hours, as clusters count them: `1,234 h (estimated)`.
pub fn device_time(time: Time) -> String {
    if time.seconds < 86_400.0 {
        return time.words();
    }
    let hours = thousands((time.seconds / 3600.0).round() as u64);
    format!("{hours} h{}", time.mark())
}

/// A row for each stage with jobs to run, and one for all; none where nothing is to run.
pub fn budget(plan: &Plan, expected: &Expected, kind: Kind) -> Option<String> {
    let open = plan.to_run();
    if open.is_empty() {
        return None;
    }
    let time = format!("{} time", kind.name());
    let head = ["stage", &time, "disk", "files", "operations"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for stage in Stage::ALL {
        let own = open.iter().copied();
        let own: Vec<usize> = own
            .filter(|&n| plan.items[n].job.stage() == stage)
            .collect();
        if !own.is_empty() {
            rows.push(Needs::of(plan, &own, expected).row(stage.name()));
        }
    }
    rows.push(Needs::of(plan, &open, expected).row("all"));
    Some(format!(
        "{}\n  files with their folders; operations: names made, renamed, removed, opened and looked at; a worker adds {OF_HEARTBEAT} every {HEARTBEAT} s",
        table(&rows, &[false, false, false, true, true])
    ))
}
