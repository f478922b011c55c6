//! One job on one device: take the lease of its entry, run its stage there, then commit the result or keep the error.

use crate::jobs::context::{JobContext, Progress, Stopped};
use crate::jobs::files::damage;
use crate::jobs::granted::Granted;
use crate::jobs::inputs::pinned::digest_path;
use crate::jobs::job::Job;
use crate::jobs::sharing::claims::ByOthers;
use crate::jobs::stage::Stage;
use crate::process::table;
use crate::run::damage::recover::recover;
use crate::run::damage::{Damage, damaged_needs};
use crate::run::device::granting::devices_for;
use crate::run::device::named::Named;
use crate::run::device::slots::Slot;
use crate::run::fault::message;
use crate::run::lease::holder::Holder;
use crate::run::lease::living::holder_in;
use crate::run::lease::presence::Presence;
use crate::run::manifest::{Input, Manifest, files, git};
use crate::run::plan::{Item, Plan};
use crate::run::store::{Failure, OWN, State, Store};
use crate::run::work::makers::{Maker, makers};
use crate::run::work::scratch::{Begun, Opening, Scratch};
use crate::run::work::sharing::{LeasedParts, Told};
use anyhow::{Context, Error, Result, anyhow, ensure};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What runs a job on its context: `stages::run`, or a test's own.
pub type Run<'a> = dyn Fn(&Job, &JobContext) -> Result<()> + Sync + 'a;

/// How a try ended.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// Somebody else had made it meanwhile.
    There,
    /// Somebody else is making it, or what is missing of it; None where it is not known who.
    Held(Option<Holder>),
    /// We were asked to stop; what is made so far is kept.
    Stopped,
    /// These results that it reads have to be made again first.
    Damaged(Vec<Damage>),
    Failed(Error),
}

/// Whether a worker takes parts of a result that others are making already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Not while there is something that nobody works on.
    Avoid,
    Join,
}

/// Everything a worker needs beside the job.
pub struct Worker<'a> {
    pub plan: &'a Plan,
    pub store: &'a Store,
    /// This process in the store.
    pub presence: &'a Presence,
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
    pub fn work(
        &self,
        n: usize,
        slot: &Slot,
        company: Company,
        tell: &(dyn Fn(News) + Sync),
    ) -> Result<Outcome> {
        let (item, device) = (&self.plan.items[n], &slot.device);
        let (stage, wanted) = (item.job.stage(), item.job.wanted());
        if let Some(failure) = self.failed_elsewhere(item) {
            return Ok(Outcome::Failed(failure));
        }
        if company == Company::Avoid && item.job.is_divided() {
            let folder = self.store.folder(stage, &item.key);
            if let Some(holder) = holder_in(&folder) {
                return Ok(Outcome::Held(Some(holder)));
            }
        }
        let waiting = |what| tell(News::Waiting(what));
        let Some(granted) = devices_for(&item.job, slot, self.slots, self.stop, &waiting)? else {
            return Ok(Outcome::Stopped);
        };
        let text = self.plan.text(n)?;
        let opening = Opening {
            store: self.store,
            presence: self.presence,
            device: &device.name,
            stage,
            key: &item.key,
            job: &text,
        };
        let is_stored = || self.store.state(stage, &item.key, &wanted).stored();
        let scratch = if item.job.is_divided() {
            if is_stored() {
                return Ok(Outcome::There);
            }
            opening.join()?
        } else {
            match opening.begin()? {
                Begun::Ours(scratch) => *scratch,
                Begun::Held(holder) => return Ok(Outcome::Held(holder)),
            }
        };
        // The first who comes looks at what was left there; whoever joins him need not read it all again.
        if !item.job.is_divided() || holder_in(&scratch.folder).is_none() {
            recover(&scratch.folder)?;
            if is_stored() {
                return Ok(Outcome::There);
            }
        }
        // The parts of features are read whole, with their checksums, by whoever takes them: what is damaged shows then.
        if stage != Stage::Features {
            let damaged = damaged_needs(self.plan, self.store, item)?;
            if !damaged.is_empty() {
                return Ok(Outcome::Damaged(damaged));
            }
        }
        let (at, started) = (jiff::Timestamp::now(), Instant::now());
        let made = self.make(item, (device, granted), &scratch, tell);
        let seconds = started.elapsed().as_secs_f64();
        let warnings = match made {
            Ok(warnings) => warnings,
            Err(error) if error.is::<ByOthers>() => {
                return Ok(Outcome::Held(holder_in(&scratch.folder)));
            }
            Err(error) if error.is::<Stopped>() => {
                let taken = scratch.lost().load(Ordering::Relaxed);
                return Ok(if taken {
                    Outcome::Held(None)
                } else {
                    Outcome::Stopped
                });
            }
            Err(error) => return self.judge(item, device, scratch, error, seconds),
        };
        let manifest = |folder: &Path| {
            // Whoever made the last part with us may have been faster.
            if item.job.is_divided() && is_stored() {
                return Ok(None);
            }
            Ok(Some(Manifest {
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
                makers: makers(folder),
                inputs: inputs(item),
                needs: item.job.needs(),
                files: files(folder, &OWN)?,
                warnings,
            }))
        };
        Ok(match scratch.commit(&opening, manifest)? {
            Some(_) => Outcome::Done,
            None if is_stored() => Outcome::There,
            None => Outcome::Held(None),
        })
    }

    /// What another worker failed with since this plan was made: the same would happen here.
    fn failed_elsewhere(&self, item: &Item) -> Option<Error> {
        let failure = self.store.failure(item.job.stage(), &item.key)?;
        let known = matches!(&item.state, State::Failed(known) if *known == failure);
        let (host, device) = (&failure.host, &failure.device);
        (!known).then(|| anyhow!("{}", failure.error).context(format!("on {host}, {device}")))
    }

    /// What an error of a job means: that what it reads is damaged, or that it failed, which is kept.
    fn judge(
        &self,
        item: &Item,
        device: &Named,
        scratch: Scratch,
        error: Error,
        seconds: f64,
    ) -> Result<Outcome> {
        if item.job.stage() == Stage::Features {
            let damaged = damaged_needs(self.plan, self.store, item)?;
            if !damaged.is_empty() {
                return Ok(Outcome::Damaged(damaged));
            }
        }
        let failure = Failure::now(message(&error), &device.name, seconds);
        scratch.fail(&failure)?;
        Ok(Outcome::Failed(error))
    }

    /// Runs the stage; its warnings.
    fn make(
        &self,
        item: &Item,
        (named, granted): (&Named, Granted),
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
            scratch.mark(&progress);
            tell(News::Progress(progress));
        };
        let device = named.device.clone();
        let (out, root) = (&scratch.folder, self.store.root());
        let mut context = JobContext::new(device, out, root, &input, &told, self.stop)?;
        context.granted = granted;
        context.lost = scratch.lost();
        let maker = Mutex::new(Maker::own(&named.name));
        let parts = LeasedParts {
            presence: self.presence,
            device: &named.name,
            told: Some(Told {
                at: scratch.at(),
                maker: &maker,
            }),
        };
        context.claims = &parts;
        for line in damage::missing(out) {
            context.warn(&line);
        }
        let ran = catch_unwind(AssertUnwindSafe(|| (self.run)(&item.job, &context)));
        let ran = ran.unwrap_or_else(|panic| Err(described(&panic)));
        match &ran {
            Ok(()) => context.log("done"),
            Err(error) if error.is::<ByOthers>() => {}
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
