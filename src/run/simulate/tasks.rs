//! The jobs of a plan that are still to run, as a simulation takes them.

use crate::jobs::job::Job;
use crate::run::plan::Plan;
use crate::run::simulate::engine::Task;

/// How a job's images are divided among workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    pub parts: usize,
    /// Images of every part but the last, and of the last.
    pub part: usize,
    pub last: usize,
}

impl Division {
    fn of(count: usize, part: usize) -> Division {
        let part = part.clamp(1, count.max(1));
        let parts = count.div_ceil(part).max(1);
        Division {
            parts,
            part,
            last: count - part * (parts - 1),
        }
    }
}

/// How item `n` is divided; None for a job that one worker does alone.
pub fn division(plan: &Plan, n: usize) -> Option<Division> {
    match &plan.items[n].job {
        Job::Sample(job) => Some(Division::of(job.sample.count, job.sample.part)),
        Job::Upsample(job) => Some(Division::of(job.sample.count, job.sample.part)),
        // Each part of images becomes one of features.
        Job::Features(job) => {
            let need = plan.items[n].needs.first()?;
            let images = division(plan, *need)?;
            Some(Division::of(job.count, images.part))
        }
        Job::Train(_)
        | Job::Metrics(_)
        | Job::CommandTrain(_)
        | Job::CommandSample(_)
        | Job::CommandMetrics(_)
        | Job::Adopted(_) => None,
    }
}

/// Whether a worker has nets to open before it works on such a job.
fn opens_nets(job: &Job) -> bool {
    matches!(
        job,
        Job::Train(_) | Job::Sample(_) | Job::Upsample(_) | Job::Features(_)
    )
}

/// The items that are not stored, in plan order: their positions and, for each, what a simulation takes it for; `seconds`
/// are those of each item of the plan, and `load` those of opening a job's nets.
pub fn tasks(plan: &Plan, seconds: &[f64], load: f64) -> (Vec<usize>, Vec<Task>) {
    let open = plan.to_run();
    let mut place = vec![None; plan.items.len()];
    for (at, &n) in open.iter().enumerate() {
        place[n] = Some(at);
    }
    let task = |&n: &usize| {
        let item = &plan.items[n];
        let divided = division(plan, n);
        let (parts, each, last) = match divided {
            Some(Division { parts, part, last }) => {
                let image = seconds[n] / (part * (parts - 1) + last).max(1) as f64;
                (parts, image * part as f64, image * last as f64)
            }
            None => (1, seconds[n], seconds[n]),
        };
        Task {
            needs: item.needs.iter().filter_map(|&need| place[need]).collect(),
            parts,
            seconds: each,
            last,
            load: if opens_nets(&item.job) { load } else { 0.0 },
        }
    };
    let tasks = open.iter().map(task).collect();
    (open, tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_divided_with_a_rest_at_the_end() {
        let of = |count, part| {
            let Division { parts, part, last } = Division::of(count, part);
            (parts, part, last)
        };
        assert_eq!(of(50_000, 1000), (50, 1000, 1000));
        assert_eq!(of(350, 100), (4, 100, 50));
        assert_eq!(of(50, 1000), (1, 50, 50));
        assert_eq!(of(0, 0), (1, 1, 0));
    }
}
