//! Runs a plan on this machine: one job a place at a time; a failed job fails its own cells alone.

use crate::io::disk::is_unwritable;
use crate::jobs::context::Progress;
use crate::machine::profile::{Operation, span};
use crate::run::damage::Damage;
use crate::run::device::slots::Slot;
use crate::run::lease::holder::Holder;
use crate::run::lease::presence::{Ended, Presence};
use crate::run::lock::locked;
use crate::run::plan::Plan;
use crate::run::store::Store;
use crate::run::work::turns::{Duty, Next, Turn, Turns};
use crate::run::worker::{Company, News, Outcome, Run, Worker, fatal};
use anyhow::{Error, Result, anyhow};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// What happens, as it happens; `item` is a position in `Plan::items`.
#[derive(Debug)]
pub enum Event<'a> {
    Started {
        item: usize,
        device: &'a str,
    },
    Progress {
        item: usize,
        device: &'a str,
        progress: Progress,
    },
    Done {
        item: usize,
        device: &'a str,
        seconds: f64,
    },
    /// Another process has made it.
    There {
        item: usize,
        device: &'a str,
    },
    Failed {
        item: usize,
        device: &'a str,
        seconds: f64,
        error: &'a Error,
    },
    /// It reads a result that failed.
    Skipped {
        item: usize,
    },
    /// What it reads was damaged, in these words, and is made again first.
    Damaged {
        item: usize,
        device: &'a str,
        damaged: &'a [Damage],
    },
    /// Another process makes it, or what is missing of it; we look again every few seconds.
    Held {
        item: usize,
        device: &'a str,
        holder: Option<&'a Holder>,
    },
    /// The devices that it needs are in use, as these words say.
    Waiting {
        item: usize,
        device: &'a str,
        for_what: &'a str,
    },
}

/// How a sweep ended, in positions of `Plan::items`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub done: usize,
    pub failed: Vec<usize>,
    /// Not tried, because what they read failed or the sweep was stopped.
    pub left: Vec<usize>,
    pub stopped: bool,
}

/// How often a run makes a damaged result again before it takes the disk for the cause.
const MOST_AGAIN: u32 = 2;

struct Scheduler<'a> {
    worker: Worker<'a>,
    turns: Mutex<Turns>,
    /// How often each item was made again because it was found damaged.
    again: Mutex<Vec<u32>>,
    moved: Condvar,
    fail_fast: bool,
    halt: AtomicBool,
    fatal: Mutex<Option<Error>>,
    tell: &'a (dyn Fn(Event) + Sync),
}

/// Options of a run.
pub struct Options<'a> {
    pub fail_fast: bool,
    /// Set from outside to stop after the parts at hand.
    pub stop: &'a AtomicBool,
    pub run: &'a Run<'a>,
    /// What of the plan is taken.
    pub duty: Duty,
    /// The job of a scheduler that this process runs in, for `status`.
    pub scheduler: Option<String>,
}

/// Runs what of `plan` is not stored. Err means that the store cannot be written.
pub fn run(
    plan: &Plan,
    store: &Store,
    slots: &[Slot],
    options: &Options,
    tell: &(dyn Fn(Event) + Sync),
) -> Result<Summary> {
    store.prepare()?;
    let on: Vec<&str> = slots.iter().map(|slot| slot.device.name.as_str()).collect();
    let presence = Presence::begin(store.root(), &on.join(","), options.scheduler.as_deref())?;
    let scheduler = Scheduler {
        turns: Mutex::new(Turns::of(plan, options.duty.clone())),
        worker: Worker {
            plan,
            store,
            presence: &presence,
            run: options.run,
            stop: options.stop,
            slots,
        },
        again: Mutex::new(vec![0; plan.items.len()]),
        moved: Condvar::new(),
        fail_fast: options.fail_fast,
        halt: AtomicBool::new(false),
        fatal: Mutex::new(None),
        tell,
    };
    std::thread::scope(|scope| {
        for slot in slots {
            let scheduler = &scheduler;
            scope.spawn(move || scheduler.serve(slot));
        }
    });
    if let Some(error) = scheduler
        .fatal
        .lock()
        .ok()
        .and_then(|mut fatal| fatal.take())
    {
        return Err(fatal(error, store));
    }
    let turns = scheduler
        .turns
        .into_inner()
        .unwrap_or_else(|e| e.into_inner())
        .of;
    let before = plan.items.iter().filter(|item| item.state.stored()).count();
    let which = |wanted: &dyn Fn(&Turn) -> bool| {
        let all = turns.iter().enumerate().filter(|(_, turn)| wanted(turn));
        all.map(|(n, _)| n).collect::<Vec<_>>()
    };
    Ok(Summary {
        done: which(&|turn| *turn == Turn::Done).len() - before,
        failed: which(&|turn| *turn == Turn::Failed),
        left: which(&|turn| !matches!(turn, Turn::Done | Turn::Failed)),
        stopped: options.stop.load(Ordering::Relaxed),
    })
}

impl Scheduler<'_> {
    fn stopping(&self) -> bool {
        self.halt.load(Ordering::Relaxed) || self.worker.stop.load(Ordering::Relaxed)
    }

    /// One place's life: the first ready job that it takes, again and again.
    fn serve(&self, slot: &Slot) {
        let device = slot.device.name.as_str();
        while let Some((item, company)) = self.next(slot) {
            let started = Instant::now();
            // A look at what others make may end without any work.
            let begun = AtomicBool::new(false);
            let begin = || {
                if !begun.swap(true, Ordering::Relaxed) {
                    (self.tell)(Event::Started { item, device });
                }
            };
            let tell = |news: News| match &news {
                News::Progress(progress) => {
                    begin();
                    let progress = progress.clone();
                    (self.tell)(Event::Progress {
                        item,
                        device,
                        progress,
                    });
                }
                News::Waiting(for_what) => (self.tell)(Event::Waiting {
                    item,
                    device,
                    for_what,
                }),
            };
            let outcome = self.worker.work(item, slot, company, &tell);
            if matches!(outcome, Ok(Outcome::Done | Outcome::Failed(_)) | Err(_)) {
                begin();
            }
            let outcome = match outcome {
                Ok(Outcome::Damaged(damaged)) => self.make_again(item, device, &damaged),
                outcome => outcome,
            };
            let turn = self.judge(item, device, started.elapsed().as_secs_f64(), outcome);
            if let Ok(mut turns) = self.turns.lock() {
                match turn {
                    Turn::Held(_) if company == Company::Join => turns.in_vain(item),
                    turn => {
                        turns.of[item] = turn;
                        turns.moved();
                    }
                }
            }
            self.moved.notify_all();
        }
        self.moved.notify_all();
    }

    /// Puts what `item` reads back among what is to do; a result that does not stay whole ends that.
    fn make_again(&self, item: usize, device: &str, damaged: &[Damage]) -> Result<Outcome> {
        let mut again = locked(&self.again);
        let mut turns = locked(&self.turns);
        for Damage { need, lines } in damaged {
            again[*need] += 1;
            if again[*need] > MOST_AGAIN {
                let made = &self.worker.plan.items[*need];
                let (stage, key) = (made.job.stage(), &made.key);
                return Ok(Outcome::Failed(anyhow!(
                    "the {stage} result {key} that this job reads was made {MOST_AGAIN} times more and is still not whole: {}\nhint: see whether the disk is sound",
                    lines.join("; ")
                )));
            }
            if turns.of[*need] == Turn::Done {
                turns.of[*need] = Turn::Todo;
            }
        }
        (self.tell)(Event::Damaged {
            item,
            device,
            damaged,
        });
        Ok(Outcome::Damaged(Vec::new()))
    }

    fn judge(&self, item: usize, device: &str, seconds: f64, outcome: Result<Outcome>) -> Turn {
        let failed = |error: Error| {
            self.worker.presence.count(Ended::Failed);
            (self.tell)(Event::Failed {
                item,
                device,
                seconds,
                error: &error,
            });
            // Then no other job can succeed either.
            if self.fail_fast || is_unwritable(&error) {
                self.halt.store(true, Ordering::Relaxed);
            }
            if is_unwritable(&error)
                && let Ok(mut fatal) = self.fatal.lock()
            {
                fatal.get_or_insert(error);
            }
            Turn::Failed
        };
        match outcome {
            Ok(Outcome::There) => {
                (self.tell)(Event::There { item, device });
                Turn::Done
            }
            Ok(Outcome::Done) => {
                (self.tell)(Event::Done {
                    item,
                    device,
                    seconds,
                });
                self.worker.presence.count(Ended::Done);
                Turn::Done
            }
            Ok(Outcome::Held(holder)) => {
                (self.tell)(Event::Held {
                    item,
                    device,
                    holder: holder.as_ref(),
                });
                Turn::Held(Instant::now())
            }
            Ok(Outcome::Stopped | Outcome::Damaged(_)) => Turn::Todo,
            Ok(Outcome::Failed(error)) | Err(error) => failed(error),
        }
    }

    /// The next job for this place; waits while others may still make what it needs; None when nothing is left.
    fn next(&self, slot: &Slot) -> Option<(usize, Company)> {
        let mut turns = self.turns.lock().ok()?;
        loop {
            if self.stopping() {
                return None;
            }
            self.skip_hopeless(&mut turns.of);
            match turns.next(self.worker.plan, self.worker.store, slot) {
                Next::Try(n, company) => {
                    turns.of[n] = Turn::Running;
                    return Some((n, company));
                }
                Next::Nothing => return None,
                Next::Wait => {}
            }
            let _span = span(Operation::WaitJob);
            let wait = Duration::from_millis(200);
            turns = self.moved.wait_timeout(turns, wait).ok()?.0;
        }
    }

    fn skip_hopeless(&self, turns: &mut [Turn]) {
        for (n, item) in self.worker.plan.items.iter().enumerate() {
            let lost = |&need: &usize| matches!(turns[need], Turn::Failed | Turn::Skipped);
            if turns[n] == Turn::Todo && item.needs.iter().any(lost) {
                turns[n] = Turn::Skipped;
                (self.tell)(Event::Skipped { item: n });
            }
        }
    }
}
