//! Keeps the workers of a sweep going until all that can be made is in the store.

use crate::cluster::arrays::{Array, Worker};
use crate::cluster::call::{Limits, limits};
use crate::cluster::event::{Counts, Event, Loss};
use crate::cluster::groups::{Group, Made, ready};
use crate::cluster::ledger::{Ledger, Submission};
use crate::cluster::losses::Waiting;
use crate::cluster::script::WorkerCall;
use crate::cluster::submit::{Sent, send};
use crate::cluster::tasks::{Task, Which, cancel, look};
use crate::io::disk::write_atomic;
use crate::run::lease::presence::{Lease, Presence, Taken};
use crate::run::plan::Plan;
use crate::run::store::{State, Store};
use anyhow::{Result, anyhow, bail};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often lost workers are replaced without progress, where `resubmits` does not say.
pub const RESUBMITS: usize = 3;

/// The first and the longest pause between two looks.
const PAUSE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
/// How long after sbatch had enough it is tried again.
const FULL_FOR: Duration = Duration::from_secs(30);
const COUNTS_EVERY: Duration = Duration::from_secs(60);

/// What is to be driven.
pub struct Order<'a> {
    pub store: &'a Store,
    pub ledger: &'a Ledger,
    pub groups: &'a [Group],
    pub call: &'a WorkerCall,
    pub resubmits: usize,
    /// Ends the workers at the first failed job.
    pub fail_fast: bool,
    /// Set from outside to leave the workers alone and end.
    pub stop: &'a AtomicBool,
}

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

/// What is known of a group of stages.
#[derive(Clone, Default)]
struct Standing {
    /// What was made when workers were last submitted for it.
    made: Option<Made>,
    /// Submissions since then without progress.
    in_vain: usize,
}

struct Driver<'a> {
    order: &'a Order<'a>,
    tell: &'a dyn Fn(Event),
    arrays: Vec<Array>,
    limits: Option<Limits>,
    /// Failures that were there at the start, by their times: those jobs are tried again.
    old: HashMap<usize, String>,
    failed: Vec<usize>,
    standings: Vec<Standing>,
    exclude: Vec<String>,
    waiting: Waiting,
    last_loss: Option<String>,
    full_until: Option<Instant>,
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
        let records = order.ledger.read()?;
        let mut exclude: Vec<String> = Vec::new();
        for node in records.iter().flat_map(|record| &record.exclude) {
            if !exclude.contains(node) {
                exclude.push(node.clone());
            }
        }
        let open = records.into_iter().filter(|record| !record.closed);
        let arrays: Vec<Array> = open.map(Array::new).collect();
        for array in &arrays {
            if let Some(id) = array.record.id {
                tell(array.joined(id));
            }
        }
        let old = plan.items.iter().enumerate();
        let old = old.filter_map(|(n, item)| match &item.state {
            State::Failed(failure) => Some((n, failure.at.clone())),
            _ => None,
        });
        Ok(Driver {
            order,
            tell,
            arrays,
            limits: None,
            old: old.collect(),
            failed: Vec::new(),
            standings: vec![Standing::default(); order.groups.len()],
            exclude,
            waiting: Waiting::default(),
            last_loss: None,
            full_until: None,
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
                self.end_workers(Which::All)?;
                (self.tell)(Event::Cancelled);
                return Ok(Outcome::Cancelled);
            }
            if failed_now && self.order.fail_fast {
                self.end_workers(Which::All)?;
                return Ok(Outcome::Over);
            }
            let changed = self.count(plan);
            if !self.is_anything_left(plan) {
                self.end_workers(Which::Pending)?;
                return Ok(Outcome::Over);
            }
            let mut sent = false;
            if answered {
                for n in 0..self.order.groups.len() {
                    match self.staff(plan, n)? {
                        Staffed::Enough => {}
                        Staffed::Sent => sent = true,
                        Staffed::GivenUp => {
                            self.end_workers(Which::Pending)?;
                            let why = self.last_loss.take();
                            return Ok(Outcome::GivenUp(why.unwrap_or_else(|| {
                                "they end without taking what is ready".to_string()
                            })));
                        }
                    }
                }
            }
            wait = if changed || sent {
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

    /// Short enough to see the end of a worker before the controller forgets it.
    fn longest_pause(&self) -> Duration {
        let memory = self.limits.map(|limits| limits.memory / 4);
        memory.map_or(PAUSE[1], |memory| memory.clamp(PAUSE[0], PAUSE[1]))
    }

    /// Asks the controller how the workers are; false where it does not answer.
    fn look(&mut self) -> Result<bool> {
        let tags: Vec<String> = self.arrays.iter().map(|a| a.record.tag.clone()).collect();
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
        let mut losses = Vec::new();
        for array in &mut self.arrays {
            losses.extend(array.look(self.order.ledger, tasks, now, self.tell)?);
        }
        self.arrays.retain(|array| !array.record.closed);
        for loss in losses {
            self.note(loss);
        }
        for (reason, workers) in self.waiting.look(tasks, now) {
            (self.tell)(Event::Stuck { reason, workers });
        }
        Ok(())
    }

    fn note(&mut self, loss: Loss) {
        let end = loss.end.as_ref();
        if end.is_some_and(|end| end.word == "NODE_FAIL") {
            let nodes = loss.node.split(',').filter(|node| !node.is_empty());
            for node in nodes.map(String::from) {
                if !self.exclude.contains(&node) {
                    self.exclude.push(node);
                }
            }
        }
        self.last_loss = Some(why(&loss));
        (self.tell)(Event::Lost(loss));
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
        let workers = |of| self.arrays.iter().map(|array| array.count(of)).sum();
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

    /// Sees to it that a group has as many workers as there is something to do for.
    fn staff(&mut self, plan: &Plan, n: usize) -> Result<Staffed> {
        let (order, group) = (self.order, &self.order.groups[n]);
        let ready = ready(plan, order.store, group, &|n| self.is_hopeless(plan, n));
        let alive = self.alive(group);
        let wanted = ready.min(group.workers()).saturating_sub(alive);
        if wanted == 0 || self.full_until.is_some_and(|until| Instant::now() < until) {
            return Ok(Staffed::Enough);
        }
        let made = Made::of(plan, order.store);
        let standing = &self.standings[n];
        let in_vain = match &standing.made {
            Some(before) if !made.is_more_than(before) => standing.in_vain + 1,
            _ => 0,
        };
        if in_vain > order.resubmits {
            // Others may be at it: their leases tell.
            let running = |state: &State| matches!(state, State::Running(..));
            let busy = alive > 0 || plan.items.iter().any(|item| running(&item.state));
            return Ok(if busy {
                Staffed::Enough
            } else {
                Staffed::GivenUp
            });
        }
        let most = self.limits.map_or(1, |limits| limits.array);
        let mut left = wanted;
        while left > 0 {
            let workers = left.min(most);
            if !self.submit(group, workers)? {
                break;
            }
            left -= workers;
        }
        if left == wanted {
            return Ok(Staffed::Enough);
        }
        self.standings[n] = Standing {
            made: Some(made),
            in_vain,
        };
        Ok(Staffed::Sent)
    }

    /// Workers of the group's stages that are not over.
    fn alive(&self, group: &Group) -> usize {
        let names: Vec<&str> = group.stages.iter().map(|stage| stage.name()).collect();
        let of_group = |array: &&Array| {
            let mut stages = array.record.stages.iter();
            stages.any(|stage| names.contains(&stage.as_str()))
        };
        self.arrays.iter().filter(of_group).map(Array::alive).sum()
    }

    /// Writes an array down and sends it; false where it certainly did not arrive.
    fn submit(&mut self, group: &Group, workers: usize) -> Result<bool> {
        let ledger = self.order.ledger;
        let stages = group.stages.iter().map(|stage| stage.name().to_string());
        let mut record = Submission {
            tag: ledger.fresh_tag(),
            stages: stages.collect(),
            workers,
            id: None,
            exclude: self.exclude.clone(),
            at: jiff::Timestamp::now().to_string(),
            closed: false,
        };
        let script = self.order.call.script(group);
        write_atomic(&ledger.script(&record.tag), |out| {
            Ok(out.write_all(script.as_bytes())?)
        })?;
        ledger.write(&record)?;
        let sent = send(ledger, &record, group)?;
        match &sent {
            Sent::Accepted(id) => {
                record.id = Some(*id);
                (self.tell)(Event::Submitted {
                    id: *id,
                    workers,
                    partition: group.asks.partition.clone(),
                    stages: group.names("+"),
                });
            }
            Sent::Unknown => {}
            Sent::Full(_) | Sent::Refused(_) => record.closed = true,
        }
        ledger.write(&record)?;
        match sent {
            Sent::Accepted(_) | Sent::Unknown => self.arrays.push(Array::new(record)),
            Sent::Full(text) => {
                if self.full_until.is_none() {
                    (self.tell)(Event::Full(text));
                }
                self.full_until = Some(Instant::now() + FULL_FOR);
                return Ok(false);
            }
            Sent::Refused(text) => bail!(
                "sbatch refused a worker of {}: {text}\nhint: correct [slurm] of the experiment file or ~/.config/runner/slurm.toml",
                group.names(", ")
            ),
        }
        Ok(true)
    }

    fn end_workers(&mut self, which: Which) -> Result<()> {
        let tags: Vec<String> = self.arrays.iter().map(|a| a.record.tag.clone()).collect();
        cancel(&tags, which)?;
        Ok(())
    }
}

/// What came of looking after a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staffed {
    Enough,
    Sent,
    GivenUp,
}

/// Why a worker was lost, in a line.
pub fn why(loss: &Loss) -> String {
    let Some(end) = &loss.end else {
        return "it is gone, and Slurm does not say why".to_string();
    };
    match (end.word.as_str(), end.code) {
        ("TIMEOUT", _) => "its time was over".to_string(),
        ("NODE_FAIL", _) => format!("its node {} failed", loss.node),
        ("PREEMPTED", _) => "it was preempted".to_string(),
        ("OUT_OF_MEMORY", _) => "it ran out of memory".to_string(),
        ("CANCELLED", _) => "it was cancelled".to_string(),
        ("FAILED", Some(130)) => "it was asked to stop, for its time was nearly over".to_string(),
        ("FAILED", Some(97)) => "its node does not see the working folder".to_string(),
        ("FAILED", Some(code)) => format!("exit status {code}"),
        (word, _) => format!("{word}, {}", loss.reason),
    }
}

/// Ends the workers of a sweep, and whoever submits for it; how many arrays that were.
///
/// # Errors
/// Where Slurm is not here or does not answer, or the store cannot be written.
pub fn call_off(ledger: &Ledger) -> Result<usize> {
    let records = ledger.read()?;
    let open: Vec<Submission> = records
        .into_iter()
        .filter(|record| !record.closed)
        .collect();
    if ledger.folder().exists() {
        ledger.call_off()?;
    }
    let tags: Vec<String> = open.iter().map(|record| record.tag.clone()).collect();
    if !cancel(&tags, Which::All)? {
        return Err(anyhow!(
            "Slurm does not answer\nhint: try the same command again"
        ));
    }
    for record in &open {
        ledger.write(&Submission {
            closed: true,
            ..record.clone()
        })?;
    }
    Ok(open.len())
}
