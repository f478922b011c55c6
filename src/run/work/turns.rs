//! Whose turn it is: where each job of a plan stands for this worker, and which it tries next.

use crate::jobs::stage::Stage;
use crate::run::device::slots::Slot;
use crate::run::plan::Plan;
use crate::run::store::{State, Store};
use crate::run::worker::Company;
use std::time::{Duration, Instant};

/// Where a job stands for this worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    Done,
    Todo,
    /// Others are making it; looked at again from this moment on.
    Held(Instant),
    Running,
    Failed,
    /// It reads a result that failed.
    Skipped,
}

/// Which jobs a worker takes.
#[derive(Clone, Debug, Default)]
pub struct Duty {
    /// None stands for every stage.
    pub stages: Option<Vec<Stage>>,
    /// Whether it waits for what it needs while nobody makes that.
    pub waits: bool,
}

impl Duty {
    pub fn takes(&self, stage: Stage) -> bool {
        self.stages
            .as_ref()
            .is_none_or(|stages| stages.contains(&stage))
    }
}

/// The turns of a plan's jobs.
pub struct Turns {
    pub of: Vec<Turn>,
    duty: Duty,
    /// When what others make was last looked at in vain, and how long to leave it alone since.
    looked: Option<(Instant, Duration)>,
    /// Where to go on looking at jobs that this worker does not take itself.
    at: usize,
}

/// What a worker does now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Try(usize, Company),
    Wait,
    /// Nothing is left that it can take.
    Nothing,
}

/// The first and the longest pause between two looks at what others make: each look is about fifty system calls on the
/// store, counted by `cargo bench --bench workers`.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Jobs of other stages that are looked at at once.
const ELSEWHERE: usize = 16;

impl Turns {
    pub fn of(plan: &Plan, duty: Duty) -> Turns {
        let turn = |stored| if stored { Turn::Done } else { Turn::Todo };
        let of = plan.items.iter().map(|item| turn(item.state.stored()));
        Turns {
            of: of.collect(),
            duty,
            looked: None,
            at: 0,
        }
    }

    /// Notes that a look at what others make found nothing to do.
    pub fn in_vain(&mut self, n: usize) {
        let pause = self
            .looked
            .map_or(PAUSE, |(_, pause)| (pause * 3 / 2).min(LONGEST_PAUSE));
        self.looked = Some((Instant::now(), pause));
        self.of[n] = Turn::Held(Instant::now());
    }

    /// Notes that there was something to do.
    pub fn moved(&mut self) {
        self.looked = None;
    }

    /// The job for `slot`: the first that is ready and that nobody works on; else parts of one that others are making.
    pub fn next(&mut self, plan: &Plan, store: &Store, slot: &Slot) -> Next {
        let ready = |n: usize| {
            let item = &plan.items[n];
            self.duty.takes(item.job.stage())
                && slot.takes(&item.job)
                && item.needs.iter().all(|&need| self.of[need] == Turn::Done)
        };
        let first = (0..self.of.len()).find(|&n| self.of[n] == Turn::Todo && ready(n));
        let resting = |(since, pause): (Instant, Duration)| since.elapsed() < pause;
        let looks = !self.looked.is_some_and(resting);
        // While there is other work, what others make is looked at too, so that its dependents are seen to be ready.
        let beside = self
            .looked
            .is_some_and(|(since, _)| since.elapsed() >= LONGEST_PAUSE);
        if (first.is_none() && looks) || beside {
            let held = (0..self.of.len()).filter_map(|n| match self.of[n] {
                Turn::Held(since) if ready(n) => Some((since, n)),
                _ => None,
            });
            if let Some((_, n)) = held.min() {
                let company = if first.is_some() {
                    Company::Avoid
                } else {
                    Company::Join
                };
                return Next::Try(n, company);
            }
        }
        if let Some(n) = first {
            return Next::Try(n, Company::Avoid);
        }
        let mine = |n: usize| self.duty.takes(plan.items[n].job.stage());
        let open = |turn: Turn| matches!(turn, Turn::Running | Turn::Held(_) | Turn::Todo);
        let mut left = (0..self.of.len()).filter(|&n| mine(n) && open(self.of[n]));
        if left.next().is_none() {
            return Next::Nothing;
        }
        if !looks || self.duty.stages.is_none() {
            return Next::Wait;
        }
        self.look_elsewhere(plan, store)
    }

    /// Looks at some jobs of stages that this worker does not take: whether they are done, and whether somebody makes them.
    fn look_elsewhere(&mut self, plan: &Plan, store: &Store) -> Next {
        let others = (0..self.of.len()).filter(|&n| {
            let item = &plan.items[n];
            !self.duty.takes(item.job.stage())
                && self.of[n] == Turn::Todo
                && item.needs.iter().all(|&need| self.of[need] == Turn::Done)
        });
        let others: Vec<usize> = others.collect();
        let from = others.iter().position(|&n| n >= self.at).unwrap_or(0);
        let round = others.len() <= ELSEWHERE;
        let (mut news, mut hope) = (false, !round || self.duty.waits);
        for &n in others
            .iter()
            .cycle()
            .skip(from)
            .take(ELSEWHERE.min(others.len()))
        {
            let item = &plan.items[n];
            match store.state(item.job.stage(), &item.key, &item.job.wanted()) {
                State::Stored(_) => (self.of[n], news) = (Turn::Done, true),
                State::Running(..) => hope = true,
                State::Failed(_) if item.state != State::Missing => {}
                State::Failed(_) => (self.of[n], news) = (Turn::Failed, true),
                State::Partial(_) | State::Missing => {}
            }
            self.at = n + 1;
        }
        let busy = |turn: &Turn| matches!(turn, Turn::Running | Turn::Held(_));
        if news {
            return Next::Wait;
        }
        if hope || self.of.iter().any(busy) {
            let pause = self.looked.map_or(PAUSE, |(_, pause)| pause);
            self.looked = Some((Instant::now(), (pause * 3 / 2).min(LONGEST_PAUSE)));
            return Next::Wait;
        }
        Next::Nothing
    }
}
