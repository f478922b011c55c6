//! Keeps the workers of a sweep going until all that can be made is in the store.

use crate::cluster::arrays::Worker;
use crate::cluster::call::{Limits, limits};
use crate::cluster::event::{Counts, Event};
use crate::cluster::losses::{Waiting, why};
use crate::cluster::staffing::{Order, Staff, Staffed};
use crate::cluster::tasks::{Task, Which, look};
use crate::run::lease::presence::{Lease, Presence, Taken};
use crate::run::plan::Plan;
use crate::run::store::State;
use anyhow::Result;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often lost workers are replaced without progress, where `resubmits` does not say.
pub const RESUBMITS: usize = 3;

/// The first and the longest pause between two looks.
const PAUSE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
const COUNTS_EVERY: Duration = Duration::from_secs(60);

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is made that can be.
    Over,
    /// It was asked to stop; the workers go on.
    Left,
    /// Somebody ended it by `--cancel`.
    Cancelled,
    /// Workers are lost without getting on: this is why the last ones were.
    GivenUp(String),
}

struct Driver<'a> {
    order: &'a Order<'a>,
    tell: &'a dyn Fn(Event),
    staff: Staff<'a>,
    limits: Option<Limits>,
    /// Failures that were there at the start, by their times: those jobs are tried again.
    old: HashMap<usize, String>,
    failed: Vec<usize>,
    waiting: Waiting,
    last_loss: Option<String>,
    silent: bool,
    counted: Option<(Counts, Instant)>,
}

/// Submits workers for `plan` and waits until nothing is left that they could make. A second process that drives the same
/// sweep waits for the first, and takes over where that one is gone.
///
/// # Errors
/// Where Slurm is not here or refuses what is asked, or the store cannot be written.
pub fn drive(plan: &mut Plan, order: &Order, tell: &dyn Fn(Event)) -> Result<Outcome> {
    order.ledger.prepare()?;
    let presence = Presence::begin(order.store.root(), "submits to Slurm", None)?;
    let Some(_lease) = lease(plan, order, &presence, tell)? else {
        let stopped = order.stop.load(Ordering::Relaxed);
        return Ok(if stopped {
            Outcome::Left
        } else {
            Outcome::Over
        });
    };
    order.ledger.go_ahead();
    let mut driver = Driver::begin(plan, order, tell)?;
    driver.run(plan)
}

/// The right to submit for the sweep; None where all was made before it could be had, or it was asked to stop.
fn lease(
    plan: &mut Plan,
    order: &Order,
    presence: &Presence,
    tell: &dyn Fn(Event),
) -> Result<Option<Lease>> {
    let mut told = false;
    loop {
        match presence.take(&order.ledger.lease(), "submits to Slurm")? {
            Taken::Ours(lease) => return Ok(Some(lease)),
            Taken::Held(holder) if !told => {
                told = true;
                tell(Event::Held(holder));
            }
            Taken::Held(_) => {}
        }
        pause(PAUSE[0], order.stop);
        plan.refresh(order.store);
        if plan.to_run().is_empty() || order.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
}

/// Waits, but not longer than until `stop` is set.
fn pause(time: Duration, stop: &AtomicBool) {
    let begun = Instant::now();
    while begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100).min(time));
    }
}

impl<'a> Driver<'a> {
    fn begin(plan: &Plan, order: &'a Order, tell: &'a dyn Fn(Event)) -> Result<Driver<'a>> {
        let old = plan.items.iter().enumerate();
        let old = old.filter_map(|(n, item)| match &item.state {
            State::Failed(failure) => Some((n, failure.at.clone())),
            _ => None,
        });
        Ok(Driver {
            order,
            tell,
            staff: Staff::of(order, tell)?,
            limits: None,
            old: old.collect(),
            failed: Vec::new(),
            waiting: Waiting::default(),
            last_loss: None,
            silent: false,
            counted: None,
        })
    }

    fn run(&mut self, plan: &mut Plan) -> Result<Outcome> {
        let mut wait = PAUSE[0];
        loop {
            let answered = self.look()?;
            // The store after the scheduler: whoever has ended has written before.
            plan.refresh(self.order.store);
            let failed_now = self.note_failures(plan);
            if self.order.ledger.is_called_off() {
                self.staff.end(Which::All)?;
                (self.tell)(Event::Cancelled);
                return Ok(Outcome::Cancelled);
            }
            if failed_now && self.order.fail_fast {
                self.staff.end(Which::All)?;
                return Ok(Outcome::Over);
            }
            let changed = self.count(plan);
            if !self.is_anything_left(plan) {
                self.staff.end(Which::Pending)?;
                return Ok(Outcome::Over);
            }
            let mut staffed = Staffed::Enough;
            if answered {
                staffed = self.see_to_staff(plan)?;
            }
            if staffed == Staffed::GivenUp {
                self.staff.end(Which::Pending)?;
                let idle = || "they end without taking what is ready".to_string();
                return Ok(Outcome::GivenUp(self.last_loss.take().unwrap_or_else(idle)));
            }
            wait = if changed || staffed == Staffed::Sent {
                PAUSE[0]
            } else {
                (wait * 3 / 2).min(self.longest_pause())
            };
            pause(wait, self.order.stop);
            if self.order.stop.load(Ordering::Relaxed) {
                return Ok(Outcome::Left);
            }
        }
    }

    /// Sees to it that every group has workers for what it has ready.
    fn see_to_staff(&mut self, plan: &Plan) -> Result<Staffed> {
        let hopeless = (0..plan.items.len()).map(|n| self.is_hopeless(plan, n));
        let hopeless: Vec<bool> = hopeless.collect();
        let open = plan.to_run().into_iter().filter(|&n| !hopeless[n]);
        let left: HashSet<&str> = open.map(|n| plan.items[n].job.stage().name()).collect();
        self.staff.withdraw(&Vec::from_iter(left))?;
        let most = self.limits.map_or(1, |limits| limits.array);
        let mut all = Staffed::Enough;
        for n in 0..self.order.groups.len() {
            match self.staff.see_to(plan, n, most, &|n| hopeless[n])? {
                Staffed::Enough => {}
                Staffed::Sent => all = Staffed::Sent,
                Staffed::GivenUp => return Ok(Staffed::GivenUp),
            }
        }
        Ok(all)
    }

    /// Short enough to see the end of a worker before the controller forgets it.
    fn longest_pause(&self) -> Duration {
        let memory = self.limits.map(|limits| limits.memory / 4);
        memory.map_or(PAUSE[1], |memory| memory.clamp(PAUSE[0], PAUSE[1]))
    }

    /// Asks the controller how the workers are; false where it does not answer.
    fn look(&mut self) -> Result<bool> {
        let tags = self.staff.tags();
        let found = match self.limits {
            Some(_) => look(&tags)?,
            None => {
                self.limits = limits()?;
                match self.limits {
                    Some(_) => look(&tags)?,
                    None => None,
                }
            }
        };
        if found.is_none() != self.silent {
            self.silent = found.is_none();
            let silent = self.silent;
            (self.tell)(if silent {
                Event::Silent
            } else {
                Event::Answers
            });
        }
        let Some(tasks) = found else { return Ok(false) };
        self.take_in(&tasks)?;
        Ok(true)
    }

    fn take_in(&mut self, tasks: &[Task]) -> Result<()> {
        let now = Instant::now();
        for loss in self.staff.take_in(tasks, now)? {
            self.last_loss = Some(why(&loss));
            (self.tell)(Event::Lost(loss));
        }
        for (reason, workers) in self.waiting.look(tasks, now) {
            (self.tell)(Event::Stuck { reason, workers });
        }
        Ok(())
    }

    /// Notes jobs that failed since the start; true where there are new ones.
    fn note_failures(&mut self, plan: &Plan) -> bool {
        let mut any = false;
        for (n, item) in plan.items.iter().enumerate() {
            if let State::Failed(failure) = &item.state
                && self.old.get(&n) != Some(&failure.at)
                && !self.failed.contains(&n)
            {
                self.failed.push(n);
                any = true;
                (self.tell)(Event::Failed(n));
            }
        }
        // Another worker may have tried it again with more luck.
        self.failed.retain(|&n| !plan.items[n].state.stored());
        any
    }

    /// Whether the job failed, or reads what will not be made.
    fn is_hopeless(&self, plan: &Plan, n: usize) -> bool {
        self.failed.contains(&n)
            || plan.items[n]
                .needs
                .iter()
                .any(|&need| self.is_hopeless(plan, need))
    }

    fn is_anything_left(&self, plan: &Plan) -> bool {
        let open = plan.to_run();
        open.into_iter().any(|n| !self.is_hopeless(plan, n))
    }

    /// Tells the counts where they have changed or are old; true where they have changed.
    fn count(&mut self, plan: &Plan) -> bool {
        let workers = |of| self.staff.count(of);
        let counts = Counts {
            stored: plan.items.len() - plan.to_run().len(),
            jobs: plan.items.len(),
            running: workers(Worker::Running),
            pending: workers(Worker::Pending),
        };
        let (changed, old) = match self.counted {
            Some((before, at)) => (before != counts, at.elapsed() >= COUNTS_EVERY),
            None => (true, true),
        };
        if changed || old {
            self.counted = Some((counts, Instant::now()));
            (self.tell)(Event::Counts(counts));
        }
        changed
    }
}
