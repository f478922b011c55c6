//! How many workers each group of stages has, and the arrays that they are sent in.

use crate::cluster::arrays::{Array, Worker};
use crate::cluster::event::{Event, Loss};
use crate::cluster::groups::{Group, Made, ready};
use crate::cluster::ledger::{Ledger, Submission};
use crate::cluster::script::WorkerCall;
use crate::cluster::submit::{Sent, send};
use crate::cluster::tasks::{Task, Which, cancel};
use crate::io::disk::write_atomic;
use crate::run::plan::Plan;
use crate::run::store::{State, Store};
use anyhow::{Result, bail};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long after sbatch had enough it is tried again.
const FULL_FOR: Duration = Duration::from_secs(30);

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

/// What is known of a group of stages.
#[derive(Clone, Default)]
struct Standing {
    /// What was made when workers were last submitted for it.
    made: Option<Made>,
    /// Submissions since then without progress.
    in_vain: usize,
}

/// What came of looking after a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staffed {
    Enough,
    Sent,
    GivenUp,
}

/// The workers that are there, and what has been tried.
pub struct Staff<'a> {
    order: &'a Order<'a>,
    tell: &'a dyn Fn(Event),
    arrays: Vec<Array>,
    standings: Vec<Standing>,
    /// Nodes that failed.
    exclude: Vec<String>,
    full_until: Option<Instant>,
}

impl<'a> Staff<'a> {
    /// The workers of earlier starts of the sweep that may still be there.
    ///
    /// # Errors
    /// Where what was submitted cannot be read.
    pub fn of(order: &'a Order<'a>, tell: &'a dyn Fn(Event)) -> Result<Staff<'a>> {
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
        Ok(Staff {
            order,
            tell,
            arrays,
            standings: vec![Standing::default(); order.groups.len()],
            exclude,
            full_until: None,
        })
    }

    /// The tags of the arrays that are waited for.
    pub fn tags(&self) -> Vec<String> {
        let tags = self.arrays.iter().map(|array| array.record.tag.clone());
        tags.collect()
    }

    pub fn count(&self, of: Worker) -> usize {
        self.arrays.iter().map(|array| array.count(of)).sum()
    }

    /// Takes in what one look at the controller shows; the workers that it shows to be lost.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn take_in(&mut self, tasks: &[Task], now: Instant) -> Result<Vec<Loss>> {
        let mut losses = Vec::new();
        for array in &mut self.arrays {
            losses.extend(array.look(self.order.ledger, tasks, now, self.tell)?);
        }
        self.arrays.retain(|array| !array.record.closed);
        let failed = |loss: &&Loss| loss.end.as_ref().is_some_and(|end| end.word == "NODE_FAIL");
        for node in losses
            .iter()
            .filter(failed)
            .flat_map(|loss| loss.node.split(','))
        {
            if !node.is_empty() && !self.exclude.iter().any(|known| known == node) {
                self.exclude.push(node.to_string());
            }
        }
        Ok(losses)
    }

    /// Ends the workers, all or those that have not started.
    ///
    /// # Errors
    /// Where Slurm is not here, or the store cannot be written.
    pub fn end(&mut self, which: Which) -> Result<()> {
        let answered = cancel(&self.tags(), which)?;
        if answered && which == Which::All {
            for array in &mut self.arrays {
                array.record.closed = true;
                self.order.ledger.write(&array.record)?;
            }
        }
        Ok(())
    }

    /// Takes back workers that have not started, of stages of which none is among `left`. They would hold a place only to
    /// find nothing to do.
    ///
    /// # Errors
    /// Where Slurm is not here.
    pub fn withdraw(&mut self, left: &[&str]) -> Result<()> {
        for array in &mut self.arrays {
            let pending = array.count(Worker::Pending);
            let stages = &array.record.stages;
            let needed = stages.iter().any(|stage| left.contains(&stage.as_str()));
            let Some(id) = array.record.id else { continue };
            if pending == 0 || needed || array.withdrawn {
                continue;
            }
            array.withdrawn = cancel(std::slice::from_ref(&array.record.tag), Which::Pending)?;
            if array.withdrawn {
                let workers = pending;
                (self.tell)(Event::Withdrawn { id, workers });
            }
        }
        Ok(())
    }

    /// Sees to it that a group has as many workers as there is something to do for, in arrays of at most
    /// `most`.
    ///
    /// # Errors
    /// Where Slurm is not here or refuses what is asked, or the store cannot be written.
    pub fn see_to(
        &mut self,
        plan: &Plan,
        n: usize,
        most: usize,
        is_hopeless: &dyn Fn(usize) -> bool,
    ) -> Result<Staffed> {
        let (order, group) = (self.order, &self.order.groups[n]);
        let ready = ready(plan, order.store, group, is_hopeless);
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
}
