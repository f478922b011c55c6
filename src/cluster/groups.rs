//! Which stages share their workers, and how many workers they have something for.

use crate::experiment::check::slurm::seconds;
use crate::experiment::file::slurm::Slurm;
use crate::jobs::files::parts;
use crate::jobs::job::Job;
use crate::jobs::stage::Stage;
use crate::run::plan::{Item, Plan};
use crate::run::store::{State, Store};
use anyhow::{Context, Result, ensure};

/// Workers at once, where `workers` does not say.
const WORKERS: usize = 8;
/// Seconds before the end of its time at which a worker is asked to stop, where `signal_before` does not say.
const SIGNAL_BEFORE: u64 = 90;

/// Stages whose workers ask for the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub stages: Vec<Stage>,
    pub asks: Slurm,
}

impl Group {
    /// The stages' names with `between` between them.
    pub fn names(&self, between: &str) -> String {
        let names: Vec<&str> = self.stages.iter().map(|stage| stage.name()).collect();
        names.join(between)
    }

    /// The most workers at once.
    pub fn workers(&self) -> usize {
        self.asks.workers.unwrap_or(WORKERS)
    }

    pub fn signal_before(&self) -> u64 {
        self.asks.signal_before.unwrap_or(SIGNAL_BEFORE)
    }
}

/// The groups of the stages that the plan has, in the order of their first stages.
///
/// # Errors
/// Where a group's workers have no time limit, or one that is shorter than the notice of its end.
pub fn groups(plan: &Plan, slurm: &Slurm) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for stage in Stage::ALL {
        if !plan.items.iter().any(|item| item.job.stage() == stage) {
            continue;
        }
        let asks = slurm.of_stage(stage.name());
        match groups.iter_mut().find(|group| group.asks == asks) {
            Some(group) => group.stages.push(stage),
            None => groups.push(Group {
                stages: vec![stage],
                asks,
            }),
        }
    }
    for group in &groups {
        let time = group.asks.time.as_deref().with_context(|| {
            format!(
                "slurm.time is missing: how long a worker of {} may run\nhint: write `time = \"04:00:00\"` into a table [slurm] of the experiment file or into ~/.config/runner/slurm.toml, or give --set slurm.time=4:00:00",
                group.names(", ")
            )
        })?;
        let before = group.signal_before();
        ensure!(
            seconds(time).is_some_and(|seconds| seconds > before),
            "slurm.time = \"{time}\" ends before a worker can be asked to stop, {before} seconds ahead\nhint: raise `time`, or lower `signal_before`"
        );
    }
    Ok(groups)
}

/// What has come of a plan, for comparing: anything more of any of it is progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub stored: usize,
    /// Parts of results that are not whole yet.
    pub parts: usize,
    /// Steps, or whatever else such results count.
    pub marks: u64,
}

impl Made {
    /// What is there of `plan`, whose states are new.
    pub fn of(plan: &Plan, store: &Store) -> Made {
        let mut made = Made::default();
        for item in &plan.items {
            match &item.state {
                State::Stored(_) => made.stored += 1,
                State::Running(_, mark) | State::Partial(mark) => {
                    made.marks += mark.as_ref().map_or(0, |mark| mark.done);
                    made.parts += present(item, store);
                }
                State::Failed(_) => made.parts += present(item, store),
                State::Missing => {}
            }
        }
        made
    }

    pub fn is_more_than(&self, before: &Made) -> bool {
        self.stored > before.stored || self.parts > before.parts || self.marks > before.marks
    }
}

/// Jobs, and parts of jobs, of these stages that a worker could begin now. `is_hopeless` tells which will not be made.
pub fn ready(
    plan: &Plan,
    store: &Store,
    group: &Group,
    is_hopeless: &dyn Fn(usize) -> bool,
) -> usize {
    let items = plan.items.iter().enumerate();
    let open = items.filter(|(n, item)| {
        let needs = || {
            item.needs
                .iter()
                .all(|&need| plan.items[need].state.stored())
        };
        let ours = group.stages.contains(&item.job.stage());
        ours && !item.state.stored() && !is_hopeless(*n) && needs()
    });
    open.map(|(_, item)| units(plan, store, item)).sum()
}

/// How many workers a job can keep busy: at least one.
fn units(plan: &Plan, store: &Store, item: &Item) -> usize {
    let folder = |item: &Item| store.folder(item.job.stage(), &item.key);
    let list = |item: &Item, kind| parts::present(&folder(item), kind).unwrap_or_default();
    let missing = match &item.job {
        Job::Sample(job) => {
            let (count, part) = (job.sample.count as u64, job.sample.part as u64);
            parts::missing(&list(item, "images"), count, part.max(1)).len()
        }
        Job::Upsample(job) => {
            let (count, part) = (job.sample.count as u64, job.sample.part as u64);
            parts::missing(&list(item, "images"), count, part.max(1)).len()
        }
        Job::Features(job) => {
            let images = item
                .needs
                .iter()
                .map(|&need| list(&plan.items[need], "images"));
            let images = images.flat_map(|images| parts::covering(&images, job.count as u64));
            let images: usize = images.map(|parts| parts.len()).sum();
            images.saturating_sub(list(item, "features").len())
        }
        _ => 1,
    };
    missing.max(1)
}

fn present(item: &Item, store: &Store) -> usize {
    let folder = store.folder(item.job.stage(), &item.key);
    let of = |kind| parts::present(&folder, kind).map_or(0, |parts| parts.len());
    of("images") + of("features")
}
