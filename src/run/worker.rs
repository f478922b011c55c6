//! One job on one device: take the lease of its entry, run its stage there, then commit the result or keep the error.

use crate::jobs::context::{JobContext, Progress, Stopped};
use crate::jobs::files::damage;
use crate::jobs::granted::Granted;
use crate::jobs::inputs::pinned::digest_path;
use crate::jobs::job::Job;
use crate::process::table;
use crate::run::damage::{Damage, damaged_needs};
use crate::run::device::granting::devices_for;
use crate::run::device::named::Named;
use crate::run::device::slots::Slot;
use crate::run::fault::message;
use crate::run::lease::entry::Holder;
use crate::run::manifest::{Input, Manifest, files, git};
use crate::run::plan::{Item, Plan};
use crate::run::store::{Begun, Failure, OWN, Scratch, State, Store};
use anyhow::{Context, Error, Result, anyhow, ensure};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What runs a job on its context: `stages::run`, or a test's own.
pub type Run<'a> = dyn Fn(&Job, &JobContext) -> Result<()> + Sync + 'a;

/// How a try ended.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// Somebody else had made it meanwhile.
    There,
    /// Somebody else is making it.
    Held(Holder),
    /// We were asked to stop; what is made so far is kept.
    Stopped,
    /// These results that it reads have to be made again first.
    Damaged(Vec<Damage>),
    Failed(Error),
}

/// Everything a worker needs beside the job.
pub struct Worker<'a> {
    pub plan: &'a Plan,
    pub store: &'a Store,
    pub run: &'a Run<'a>,
    pub stop: &'a AtomicBool,
    /// Every place of this run, whose devices a program may be given.
    pub slots: &'a [Slot],
}

/// What a worker tells of a job.
pub enum News {
    Progress(Progress),
    /// The devices that it needs are in use, as these words say.
    Waiting(String),
}

impl Worker<'_> {
    /// Tries item `n` in `slot`. Err means that the store itself cannot be written.
    pub fn work(&self, n: usize, slot: &Slot, tell: &(dyn Fn(News) + Sync)) -> Result<Outcome> {
        let (item, device) = (&self.plan.items[n], &slot.device);
        let waiting = |what| tell(News::Waiting(what));
        let Some(granted) = devices_for(&item.job, slot, self.slots, self.stop, &waiting)? else {
            return Ok(Outcome::Stopped);
        };
        let (stage, started) = (item.job.stage(), Instant::now());
        let begun = self.store.begin(stage, &item.key, &item.text, &device.name);
        let scratch = match begun? {
            Begun::Ours(scratch) => scratch,
            Begun::Held(holder) => return Ok(Outcome::Held(holder)),
        };
        let wanted = item.job.wanted();
        if self.store.state(stage, &item.key, &wanted).stored() {
            return Ok(Outcome::There);
        }
        let damaged = damaged_needs(self.plan, self.store, item)?;
        if !damaged.is_empty() {
            return Ok(Outcome::Damaged(damaged));
        }
        let at = jiff::Timestamp::now();
        let made = self.make(item, (device, granted), &scratch, tell);
        let seconds = started.elapsed().as_secs_f64();
        match made {
            Ok(warnings) => {
                let manifest = Manifest {
                    key: item.key.clone(),
                    stage: stage.to_string(),
                    version: item.job.version(),
                    count: wanted.count,
                    runner: env!("CARGO_PKG_VERSION").to_string(),
                    git: git(),
                    device: device.name.clone(),
                    host: table::host(),
                    started: at.to_string(),
                    seconds,
                    inputs: inputs(item),
                    needs: item.job.needs(),
                    files: files(&scratch.folder, &OWN)?,
                    warnings,
                };
                scratch.commit(&manifest)?;
                Ok(Outcome::Done)
            }
            Err(error) if error.is::<Stopped>() => Ok(Outcome::Stopped),
            Err(error) => {
                let failure = Failure {
                    error: message(&error),
                    device: device.name.clone(),
                    host: table::host(),
                    at: jiff::Timestamp::now().to_string(),
                    seconds,
                };
                scratch.fail(&failure)?;
                Ok(Outcome::Failed(error))
            }
        }
    }

    /// Runs the stage; its warnings.
    fn make(
        &self,
        item: &Item,
        (device, granted): (&Named, Granted),
        scratch: &Scratch,
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<Vec<String>> {
        for need in &item.needs {
            let need = &self.plan.items[*need];
            let state = (self.store).state(need.job.stage(), &need.key, &need.job.wanted());
            ensure!(
                matches!(state, State::Stored(_)),
                "the {} result {} that this job reads is gone from the store",
                need.job.stage(),
                need.key
            );
        }
        for file in item.job.inputs() {
            ensure!(
                digest_path(&file.path)? == file.digest,
                "{} has changed since the sweep began\nhint: run the same command again",
                file.path.display()
            );
        }
        let input = |key: &crate::experiment::key::Key| {
            let mut needs = item.needs.iter().map(|&need| &self.plan.items[need]);
            let made = needs.find(|need| need.key == *key);
            made.map_or_else(PathBuf::new, |item| {
                self.store.folder(item.job.stage(), key)
            })
        };
        let told = |progress: Progress| {
            scratch.lease.mark(&progress);
            tell(News::Progress(progress));
        };
        let device = device.device.clone();
        let (out, root) = (&scratch.folder, self.store.root());
        let mut context = JobContext::new(device, out, root, &input, &told, self.stop)?;
        context.granted = granted;
        for line in damage::missing(out) {
            context.warn(&line);
        }
        let ran = catch_unwind(AssertUnwindSafe(|| (self.run)(&item.job, &context)));
        let ran = ran.unwrap_or_else(|panic| Err(described(&panic)));
        match &ran {
            Ok(()) => context.log("done"),
            Err(error) => context.log(&format!("error: {}", message(error))),
        }
        ran.map(|()| context.warnings())
    }
}

/// A panic is a fault of ours; it fails its job and no other.
fn described(panic: &Box<dyn std::any::Any + Send>) -> Error {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
    anyhow!("internal error: {}", text.unwrap_or_default())
}

fn inputs(item: &Item) -> Vec<Input> {
    let files = item.job.inputs().into_iter();
    files
        .map(|file| Input {
            path: file.path,
            sha256: file.digest,
        })
        .collect()
}

/// The error of a sweep that the store ended.
pub fn fatal(error: Error, store: &Store) -> Error {
    Err::<(), _>(error)
        .with_context(|| {
            format!(
                "the store `{}` cannot be written; what is made so far is kept",
                store.root().display()
            )
        })
        .unwrap_err()
}
