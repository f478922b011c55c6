//! `runner work`: takes what it can from a store until nothing is left; and the same for `runner sweep`.

use crate::cli::cache;
use crate::cli::open::{Choice, Opened, look_at_nets, open};
use crate::cli::screen::sweep_progress::SweepProgress;
use crate::cli::screen::terminal::{out, say};
use crate::cli::verbs::work::args::WorkArgs;
use crate::cli::verbs::work::children::{self, Order};
use crate::cli::verbs::work::events;
use crate::cli::verbs::work::places::{Place, apart, list};
use crate::cli::watched::{Ends, INTERRUPTED, also_stopped_by, until_stopped};
use crate::jobs::job::Job;
use crate::jobs::stage::Stage;
use crate::run::device::named::devices;
use crate::run::device::slots::{Slot, slots};
use crate::run::local::{Event, Options, Summary, run as run_plan};
use crate::run::work::turns::Duty;
use crate::stages;
use anyhow::Result;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What Ctrl-C waits for.
pub const AFTER: &str = "batch or training step";

pub fn run(args: &WorkArgs, store: &Path) -> Result<u8> {
    devices(list(args.device.as_deref())?.0.as_deref())?;
    let stop = until_stopped(AFTER)?;
    also_stopped_by(&Ends {
        time: args.time,
        with_parent: args.with_parent,
    })?;
    let mut all_done = true;
    for file in &args.files {
        let choice = args.choice(file);
        let opened = open(&choice, store, None)?;
        cache::refuse_incomplete(&opened.plan)?;
        look_at_nets(&opened, file)?;
        let effort = Effort {
            choice: &choice,
            device: args.device.as_deref(),
            duty: Duty {
                stages: Some(args.stages.clone()).filter(|stages| !stages.is_empty()),
                waits: args.wait,
            },
            fail_fast: false,
            stop,
            telling: if args.json {
                Telling::Json
            } else {
                Telling::Screen
            },
        };
        let summary = effort.make(&opened, &effort.places(&opened)?)?;
        all_done &= summary.failed.is_empty();
        if summary.stopped {
            say("stopped; what is made so far is kept");
            return Ok(INTERRUPTED);
        }
    }
    Ok(u8::from(!all_done))
}

/// Where it is told what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// On the screen, for people.
    Screen,
    /// On stdout, a JSON object per event.
    Json,
}

/// Where the work is done.
pub enum Places {
    /// In this process.
    Here(Vec<Slot>),
    /// In a process each.
    Apart(Vec<Place>),
}

impl Places {
    fn names(&self) -> Vec<&str> {
        match self {
            Places::Here(slots) => slots.iter().map(|s| s.device.name.as_str()).collect(),
            Places::Apart(places) => places.iter().map(|place| place.name.as_str()).collect(),
        }
    }
}

/// Work on one plan, on this machine.
pub struct Effort<'a> {
    pub choice: &'a Choice,
    /// As `--device` has it.
    pub device: Option<&'a str>,
    pub duty: Duty,
    pub fail_fast: bool,
    pub stop: &'a AtomicBool,
    pub telling: Telling,
}

impl Effort<'_> {
    /// The jobs that are to be made.
    fn open_jobs<'o>(&self, opened: &'o Opened) -> impl Iterator<Item = &'o Job> {
        let items = opened.plan.items.iter();
        let items = items.filter(|item| !item.state.stored() && self.duty.takes(item.job.stage()));
        items.map(|item| &item.job)
    }

    /// Where the open jobs of the plan run.
    ///
    /// # Errors
    /// A name that is no device, and a program that asks for more devices than there are.
    pub fn places(&self, opened: &Opened) -> Result<Places> {
        Ok(match apart(self.device, self.open_jobs(opened))? {
            Some(places) => Places::Apart(places),
            None => {
                let names = list(self.device)?.0;
                Places::Here(slots(names.as_deref(), self.open_jobs(opened))?)
            }
        })
    }

    /// Makes what of the plan is not stored: in this process where there is one place to work at, else in a process each.
    ///
    /// # Errors
    /// Where the store cannot be written, or a worker cannot be started.
    pub fn make(&self, opened: &Opened, places: &Places) -> Result<Summary> {
        let (plan, name) = (&opened.plan, &opened.sweep.name);
        let (open, all) = (self.open_jobs(opened).count(), plan.items.len());
        if open == 0 {
            say(&match &self.duty.stages {
                None => format!("{name}: all {all} jobs are stored"),
                Some(stages) => format!("{name}: all jobs of {} are stored", names(stages)),
            });
            return Ok(Summary::default());
        }
        if self.telling == Telling::Json {
            let tell = |event: Event| {
                if let Ok(line) = serde_json::to_string(&events::line(plan, &event)) {
                    // Whoever listened is gone: what is made is kept in the store all the same.
                    let _ = out(&line);
                }
            };
            return self.at(opened, places, &tell, &|text| say(text));
        }
        let on = places.names();
        let on_what = on.join(", ");
        say(&format!(
            "{name}: {open} of {all} jobs to run on {on_what}\n"
        ));
        let progress = SweepProgress::new(plan, &opened.store, on.len());
        let tell = |event: Event| progress.on(event);
        let made = self.at(opened, places, &tell, &|text| progress.say(text));
        progress.close();
        say("");
        made
    }

    fn at(
        &self,
        opened: &Opened,
        places: &Places,
        tell: &(dyn Fn(Event) + Sync),
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Summary> {
        match places {
            Places::Here(slots) => self.here(opened, slots, tell),
            Places::Apart(places) => self.apart(opened, places, tell, say),
        }
    }

    fn here(
        &self,
        opened: &Opened,
        slots: &[Slot],
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Summary> {
        let options = Options {
            fail_fast: self.fail_fast,
            stop: self.stop,
            run: &stages::run,
            duty: self.duty.clone(),
            scheduler: scheduler(),
        };
        run_plan(&opened.plan, &opened.store, slots, &options, tell)
    }

    fn apart(
        &self,
        opened: &Opened,
        places: &[Place],
        tell: &(dyn Fn(Event) + Sync),
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Summary> {
        opened.store.prepare()?;
        let order = Order {
            places,
            choice: self.choice,
            stages: self.duty.stages.clone().unwrap_or_default(),
            waits: self.duty.waits,
            fail_fast: self.fail_fast,
            stop: self.stop,
        };
        children::run(&opened.plan, &opened.store, &order, tell, say)
    }
}

fn names(stages: &[Stage]) -> String {
    let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
    names.join(", ")
}

/// The job of a scheduler that this process runs in, by the variables that it sets.
fn scheduler() -> Option<String> {
    let value = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(job) = value("SLURM_JOB_ID") {
        return Some(
            match (value("SLURM_ARRAY_JOB_ID"), value("SLURM_ARRAY_TASK_ID")) {
                (Some(array), Some(task)) => format!("slurm {array}_{task}"),
                _ => format!("slurm {job}"),
            },
        );
    }
    value("PBS_JOBID").map(|job| format!("pbs {job}"))
}
