//! Workers that take parts of jobs, event by event: exact for the times that it is given.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// A job that is still to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Positions of the tasks before it that have to be whole first.
    pub needs: Vec<usize>,
    /// Parts that different workers can make; 1 where the job is not divided.
    pub parts: usize,
    /// Seconds of every part but the last.
    pub seconds: f64,
    /// Seconds of the last part.
    pub last: f64,
    /// Seconds that a worker takes to open the job's nets when it comes from another job.
    pub load: f64,
}

impl Task {
    /// Parts of equal length, of nets that are open.
    #[cfg(test)]
    pub fn even(parts: usize, seconds: f64, needs: &[usize]) -> Task {
        Task {
            needs: needs.to_vec(),
            parts,
            seconds,
            last: seconds,
            load: 0.0,
        }
    }

    /// Seconds of all parts, without opening the nets.
    pub fn work(&self) -> f64 {
        self.seconds * (self.parts - 1) as f64 + self.last
    }

    /// Seconds from its start to its end where every part has a worker of its own.
    pub fn shortest(&self) -> f64 {
        let longest = if self.parts > 1 {
            self.seconds.max(self.last)
        } else {
            self.last
        };
        self.load + longest
    }
}

/// What one worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Busy {
    /// Seconds at work, those of opening nets included.
    pub seconds: f64,
    /// Seconds of opening nets.
    pub loading: f64,
    pub parts: usize,
}

/// How it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Seconds until the last part is made.
    pub wall: f64,
    /// By worker.
    pub workers: Vec<Busy>,
}

impl Schedule {
    /// The share of the time in which a worker has nothing to do, by worker.
    pub fn idle(&self) -> Vec<f64> {
        let share = |busy: &Busy| {
            if self.wall > 0.0 {
                (1.0 - busy.seconds / self.wall).max(0.0)
            } else {
                0.0
            }
        };
        self.workers.iter().map(share).collect()
    }
}

/// A moment, in seconds since the start; never negative and never NaN, so that its bits are in the order of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

impl Moment {
    fn at(seconds: f64) -> Moment {
        Moment(seconds.max(0.0).to_bits())
    }

    fn seconds(self) -> f64 {
        f64::from_bits(self.0)
    }
}

struct Engine<'a> {
    tasks: &'a [Task],
    /// Parts that nobody has taken, and parts that are not made, by task.
    unclaimed: Vec<usize>,
    unmade: Vec<usize>,
    /// Tasks that a task still waits for, and those that wait for it.
    waits: Vec<usize>,
    followers: Vec<Vec<usize>>,
    /// Tasks that could begin and that nobody works on.
    ready: BTreeSet<usize>,
    /// Tasks that somebody works on, with parts that nobody has taken.
    open: BTreeSet<usize>,
    /// The task whose nets a worker has open.
    at: Vec<Option<usize>>,
    busy: Vec<Busy>,
    ends: BinaryHeap<Reverse<(Moment, usize)>>,
}

/// Lets `workers` workers make `tasks`: each goes on with its own job while that has parts that nobody has taken, then
/// begins the first job that is ready and that nobody works on, else joins the first that has such parts.
pub fn simulate(tasks: &[Task], workers: usize) -> Schedule {
    let mut engine = Engine::new(tasks, workers);
    let mut free: BTreeSet<usize> = (0..workers).collect();
    let mut now = 0.0;
    loop {
        // Nobody later in the row finds what the first one does not find.
        while let Some(&worker) = free.first() {
            if !engine.give(worker, now) {
                break;
            }
            free.remove(&worker);
        }
        let Some(Reverse((moment, worker))) = engine.ends.pop() else {
            break;
        };
        now = moment.seconds();
        engine.made(worker);
        free.insert(worker);
        while let Some(&Reverse((next, worker))) = engine.ends.peek()
            && next == moment
        {
            engine.ends.pop();
            engine.made(worker);
            free.insert(worker);
        }
    }
    Schedule {
        wall: now,
        workers: engine.busy,
    }
}

impl Engine<'_> {
    fn new(tasks: &[Task], workers: usize) -> Engine<'_> {
        let mut followers = vec![Vec::new(); tasks.len()];
        for (n, task) in tasks.iter().enumerate() {
            for &need in &task.needs {
                followers[need].push(n);
            }
        }
        let parts: Vec<usize> = tasks.iter().map(|task| task.parts).collect();
        let waits: Vec<usize> = tasks.iter().map(|task| task.needs.len()).collect();
        Engine {
            tasks,
            unclaimed: parts.clone(),
            unmade: parts,
            ready: (0..tasks.len()).filter(|&n| waits[n] == 0).collect(),
            waits,
            followers,
            open: BTreeSet::new(),
            at: vec![None; workers],
            busy: vec![Busy::default(); workers],
            ends: BinaryHeap::with_capacity(workers),
        }
    }

    /// Gives the worker its next part; false where there is none now.
    fn give(&mut self, worker: usize, now: f64) -> bool {
        let own = self.at[worker].filter(|&n| self.unclaimed[n] > 0);
        let next = own.or_else(|| self.ready.first().copied());
        let Some(n) = next.or_else(|| self.open.first().copied()) else {
            return false;
        };
        let task = &self.tasks[n];
        self.ready.remove(&n);
        self.unclaimed[n] -= 1;
        if self.unclaimed[n] == 0 {
            self.open.remove(&n);
        } else if self.unclaimed[n] + 1 == task.parts {
            self.open.insert(n);
        }
        let part = if self.unclaimed[n] == 0 {
            task.last
        } else {
            task.seconds
        };
        let load = if self.at[worker] == Some(n) {
            0.0
        } else {
            task.load
        };
        self.at[worker] = Some(n);
        let busy = &mut self.busy[worker];
        busy.seconds += load + part;
        busy.loading += load;
        busy.parts += 1;
        self.ends
            .push(Reverse((Moment::at(now + load + part), worker)));
        true
    }

    /// The worker's part is made; what waited for the last part of its job may begin.
    fn made(&mut self, worker: usize) {
        let Some(n) = self.at[worker] else { return };
        self.unmade[n] -= 1;
        if self.unmade[n] > 0 {
            return;
        }
        for &follower in &self.followers[n] {
            self.waits[follower] -= 1;
            if self.waits[follower] == 0 {
                self.ready.insert(follower);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn whole(seconds: f64, needs: &[usize]) -> Task {
        divided(1, seconds, needs)
    }

    fn divided(parts: usize, seconds: f64, needs: &[usize]) -> Task {
        Task::even(parts, seconds, needs)
    }

    #[test]
    fn one_worker_takes_the_sum() {
        let mut tasks = vec![
            divided(3, 2.0, &[]),
            whole(5.0, &[0]),
            whole(1.0, &[]),
            whole(4.0, &[1, 2]),
        ];
        assert_eq!(simulate(&tasks, 1).wall, 16.0);
        tasks.iter_mut().for_each(|task| task.load = 0.5);
        let schedule = simulate(&tasks, 1);
        assert_eq!(schedule.wall, 18.0, "each net is opened once");
        assert_eq!(schedule.workers[0].loading, 2.0);
        assert_eq!(schedule.idle(), [0.0]);
    }

    #[test]
    fn equal_jobs_are_dealt_out_in_rounds() {
        let tasks = vec![whole(3.0, &[]); 10];
        for (workers, rounds) in [(1, 10.0), (3, 4.0), (5, 2.0), (10, 1.0), (40, 1.0)] {
            assert_eq!(simulate(&tasks, workers).wall, 3.0 * rounds, "{workers}");
        }
        let idle = simulate(&tasks, 20).idle();
        assert_eq!(idle.iter().filter(|share| **share == 0.0).count(), 10);
        assert_eq!(idle.iter().filter(|share| **share == 1.0).count(), 10);
    }

    #[test]
    fn the_parts_of_one_job_are_shared_and_every_worker_opens_its_net() {
        let mut task = divided(7, 2.0, &[]);
        (task.load, task.last) = (1.0, 0.5);
        assert_eq!(simulate(&[task.clone()], 1).wall, 1.0 + 6.0 * 2.0 + 0.5);
        assert_eq!(simulate(&[task.clone()], 3).wall, 1.0 + 2.0 * 2.0 + 0.5);
        assert_eq!(simulate(&[task.clone()], 7).wall, 3.0);
        assert_eq!(simulate(&[task], 100).wall, 3.0);
    }

    #[test]
    fn a_chain_is_as_long_as_its_links_on_any_number_of_workers() {
        let tasks = vec![whole(1.0, &[]), whole(2.0, &[0]), whole(4.0, &[1])];
        for workers in [1, 2, 50] {
            assert_eq!(simulate(&tasks, workers).wall, 7.0);
        }
        // Between two links all parts have to be made.
        let tasks = vec![divided(4, 1.0, &[]), divided(4, 10.0, &[0])];
        assert_eq!(simulate(&tasks, 3).wall, 2.0 + 20.0);
    }

    #[test]
    fn a_job_that_nobody_works_on_goes_before_parts_of_others() {
        // Two workers on A and B; the third joins A, though B has more to do.
        let tasks = vec![divided(4, 1.0, &[]), divided(8, 1.0, &[])];
        assert_eq!(simulate(&tasks, 2).wall, 6.0);
        let schedule = simulate(&tasks, 3);
        assert_eq!(schedule.wall, 4.0);
        let parts: Vec<usize> = schedule.workers.iter().map(|busy| busy.parts).collect();
        assert_eq!(parts, [4, 4, 4]);
    }

    #[test]
    fn nothing_to_do_takes_no_time() {
        assert_eq!(simulate(&[], 4).wall, 0.0);
        assert_eq!(simulate(&[], 4).idle(), [0.0; 4]);
        assert_eq!(simulate(&[whole(0.0, &[]), whole(0.0, &[0])], 2).wall, 0.0);
    }

    #[test]
    fn ten_thousand_cells_on_64_workers_take_less_than_two_seconds() {
        let mut tasks = Vec::new();
        for cell in 0..10_000 {
            let n = tasks.len();
            let mut sample = divided(50, 1.0 + (cell % 7) as f64 / 10.0, &[]);
            sample.load = 5.0;
            tasks.extend([sample, divided(50, 0.1, &[n]), whole(2.0, &[n + 1])]);
        }
        let started = Instant::now();
        let schedule = simulate(&tasks, 64);
        let took = started.elapsed().as_secs_f64();
        assert!(took < 2.0, "{took}");
        let work: f64 = schedule.workers.iter().map(|busy| busy.seconds).sum();
        assert!(work / (64.0 * schedule.wall) > 0.99);
    }
}
