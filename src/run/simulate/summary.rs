//! What a simulation says: how much faster, what holds it up, and up to how many workers it pays.

use crate::run::simulate::engine::{Schedule, Task, simulate};

/// The share of its time that a worker has to be of use for another one to be worth it.
pub const WORTH: f64 = 0.8;

/// How a number of workers would do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    pub workers: usize,
    /// Seconds.
    pub wall: f64,
    /// Times as fast as one worker.
    pub speed_up: f64,
}

impl Tried {
    fn of(workers: usize, wall: f64, alone: f64) -> Tried {
        Tried {
            workers,
            wall,
            speed_up: if wall > 0.0 { alone / wall } else { 1.0 },
        }
    }

    /// The speed-up by worker, in 0..=1 but for what opening nets adds.
    pub fn efficiency(&self) -> f64 {
        self.speed_up / self.workers as f64
    }
}

/// The longest chain of tasks that wait for each other, each with a worker for each part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    /// Positions of its tasks, the first one first.
    pub tasks: Vec<usize>,
    /// Seconds that no number of workers goes below.
    pub seconds: f64,
}

/// What a plan would take on a number of workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The number that was asked for.
    pub asked: Tried,
    pub schedule: Schedule,
    /// Seconds on one worker.
    pub alone: f64,
    pub path: Path,
    /// Other numbers, the smallest first: powers of two from a sixteenth of the number asked for to sixteen times as many.
    pub tried: Vec<Tried>,
}

impl Summary {
    pub fn of(tasks: &[Task], workers: usize) -> Summary {
        let alone = simulate(tasks, 1).wall;
        let schedule = simulate(tasks, workers);
        let counts = ladder(workers).into_iter();
        let tried = counts.map(|count| {
            let wall = if count == workers {
                schedule.wall
            } else {
                simulate(tasks, count).wall
            };
            Tried::of(count, wall, alone)
        });
        Summary {
            asked: Tried::of(workers, schedule.wall, alone),
            tried: tried.collect(),
            schedule,
            alone,
            path: critical_path(tasks),
        }
    }

    /// The largest number of those tried up to which each works for at least [`WORTH`] of its time; 1 where that is none.
    pub fn worth(&self) -> usize {
        let good = self
            .tried
            .iter()
            .filter(|tried| tried.efficiency() >= WORTH);
        good.map(|tried| tried.workers).max().unwrap_or(1)
    }

    /// Whether the longest chain, and not the number of workers, is what the time comes from.
    pub fn is_held_by_path(&self) -> bool {
        self.path.seconds * self.asked.workers as f64 >= self.alone
    }
}

/// The number itself, and the powers of two around it.
fn ladder(workers: usize) -> Vec<usize> {
    let most = workers.saturating_mul(16);
    let powers = (0..usize::BITS).map(|bit| 1usize << bit);
    let mut counts: Vec<usize> = powers
        .filter(|count| *count >= workers / 16 && *count <= most)
        .chain([workers])
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// The longest chain, where every part of a task is made at once.
pub fn critical_path(tasks: &[Task]) -> Path {
    let mut ends: Vec<f64> = Vec::with_capacity(tasks.len());
    let mut before: Vec<Option<usize>> = Vec::with_capacity(tasks.len());
    for task in tasks {
        let last = task.needs.iter().copied();
        let last = last.max_by(|&a, &b| ends[a].total_cmp(&ends[b]));
        ends.push(last.map_or(0.0, |need| ends[need]) + task.shortest());
        before.push(last);
    }
    let longest = (0..tasks.len()).rev();
    let Some(end) = longest.max_by(|&a, &b| ends[a].total_cmp(&ends[b])) else {
        return Path::default();
    };
    let mut path = Path {
        tasks: vec![end],
        seconds: ends[end],
    };
    let mut at = end;
    while let Some(need) = before[at] {
        path.tasks.push(need);
        at = need;
    }
    path.tasks.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(parts: usize, seconds: f64, needs: &[usize]) -> Task {
        Task::even(parts, seconds, needs)
    }

    #[test]
    fn the_longest_chain_is_found() {
        let tasks = [
            task(1, 5.0, &[]),
            task(10, 1.0, &[]),
            task(1, 2.0, &[0]),
            task(1, 3.0, &[1]),
        ];
        let path = critical_path(&tasks);
        assert_eq!((path.tasks, path.seconds), (vec![0, 2], 7.0));
        assert_eq!(critical_path(&[]), Path::default());
    }

    #[test]
    fn equal_jobs_are_worth_as_many_workers_as_there_are() {
        let tasks = vec![task(1, 1.0, &[]); 64];
        let summary = Summary::of(&tasks, 64);
        assert_eq!((summary.asked.wall, summary.asked.speed_up), (1.0, 64.0));
        assert_eq!(summary.worth(), 64);
        let counts: Vec<usize> = summary.tried.iter().map(|tried| tried.workers).collect();
        assert_eq!(counts, [4, 8, 16, 32, 64, 128, 256, 512, 1024]);
        assert!(summary.is_held_by_path());
        assert!(!Summary::of(&tasks, 4).is_held_by_path());
    }

    #[test]
    fn a_chain_is_worth_one_worker() {
        let tasks = [task(1, 1.0, &[]), task(1, 1.0, &[0])];
        let summary = Summary::of(&tasks, 3);
        assert_eq!((summary.asked.wall, summary.worth()), (2.0, 1));
        let counts: Vec<usize> = summary.tried.iter().map(|tried| tried.workers).collect();
        assert_eq!(counts, [1, 2, 3, 4, 8, 16, 32]);
    }

    #[test]
    fn the_ladder_of_a_huge_number_ends() {
        assert_eq!(ladder(1), [1, 2, 4, 8, 16]);
        assert!(ladder(usize::MAX).len() < 70);
    }
}
