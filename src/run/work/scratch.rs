//! An entry of the store while it is worked in: opened under a lease, or beside others; closed by a manifest or a failure.

use crate::experiment::key::Key;
use crate::io::disk::{replace_unsynced, write_atomic, write_json};
use crate::jobs::context::Progress;
use crate::jobs::stage::Stage;
use crate::run::lease::holder::{Holder, WHOLE};
use crate::run::lease::presence::{AtWork, Lease, Presence, Taken};
use crate::run::lease::record::Doing;
use crate::run::lock::locked;
use crate::run::manifest::Manifest;
use crate::run::store::{FAILURE, Failure, JOB, MARK, Mark, Store};
use crate::run::work::makers;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MARK_EVERY: Duration = Duration::from_secs(5);

/// Who opens an entry, and for what.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    pub store: &'a Store,
    pub presence: &'a Presence,
    pub device: &'a str,
    pub stage: Stage,
    pub key: &'a Key,
    /// The job as an experiment file of its own.
    pub job: &'a str,
}

impl Opening<'_> {
    /// For a result that one worker makes: unless somebody already does.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn begin(&self) -> Result<Begun> {
        let folder = self.store.entry(self.stage, self.key)?;
        let lease = match self.presence.take(&folder.join(WHOLE), self.device)? {
            Taken::Ours(lease) => lease,
            Taken::Held(holder) => return Ok(Begun::Held(holder)),
        };
        Ok(Begun::Ours(Box::new(self.scratch(folder, Some(lease))?)))
    }

    /// For a result that several workers make, part by part.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn join(&self) -> Result<Scratch> {
        self.scratch(self.store.entry(self.stage, self.key)?, None)
    }

    fn scratch(&self, folder: PathBuf, lease: Option<Lease>) -> Result<Scratch> {
        self.store.remove_torn(&folder)?;
        let _ = fs::remove_file(folder.join(FAILURE));
        let text = folder.join(JOB);
        if fs::read(&text).ok().as_deref() != Some(self.job.as_bytes()) {
            write_atomic(&text, |out| Ok(out.write_all(self.job.as_bytes())?))?;
        }
        let at = self.presence.at(Doing {
            stage: self.stage.to_string(),
            key: self.key.full().to_string(),
            device: self.device.to_string(),
            part: None,
            done: 0,
            total: 0,
            unit: String::new(),
            per_second: None,
            since: jiff::Timestamp::now().to_string(),
        });
        Ok(Scratch {
            folder,
            lease,
            at,
            marked: Mutex::default(),
        })
    }
}

/// An entry that was opened to work in it.
pub enum Begun {
    Ours(Box<Scratch>),
    /// Somebody else works in it; None where his lease does not say yet who.
    Held(Option<Holder>),
}

/// An entry that is being worked in, by us.
pub struct Scratch {
    pub folder: PathBuf,
    /// The lease of the whole; none where its parts are claimed one by one.
    lease: Option<Lease>,
    at: AtWork,
    /// When [`MARK`] was last written.
    marked: Mutex<Option<Instant>>,
}

impl Scratch {
    /// Set once somebody has taken the result over.
    pub fn lost(&self) -> Arc<AtomicBool> {
        self.lease.as_ref().map(Lease::lost).unwrap_or_default()
    }

    /// What others see of the work.
    pub fn at(&self) -> &AtWork {
        &self.at
    }

    /// Tells others how far the work is; in the entry itself every few seconds, for those who find it half-made.
    pub fn mark(&self, progress: &Progress) {
        self.at.tell(progress);
        let mut marked = locked(&self.marked);
        if self.lease.is_none() || marked.is_some_and(|at| at.elapsed() < MARK_EVERY) {
            return;
        }
        *marked = Some(Instant::now());
        let mark = Mark {
            done: progress.done,
            total: progress.total,
            unit: progress.unit.to_string(),
        };
        // Only a courtesy to `status`: a full disk is told by the job itself.
        if let Ok(text) = serde_json::to_vec_pretty(&mark) {
            let _ = replace_unsynced(&self.folder.join(MARK), &text);
        }
    }

    /// Makes the result count as done; `manifest` lists what it is made of, or says by None that somebody else has done
    /// so. None also where somebody else is at it.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn commit(
        mut self,
        by: &Opening,
        manifest: impl FnOnce(&Path) -> Result<Option<Manifest>>,
    ) -> Result<Option<Manifest>> {
        let lease = match self.lease.take() {
            Some(lease) => lease,
            None => match by.presence.take(&self.folder.join(WHOLE), by.device)? {
                Taken::Ours(lease) => lease,
                Taken::Held(_) => return Ok(None),
            },
        };
        let Some(manifest) = manifest(&self.folder)? else {
            return Ok(None);
        };
        if !lease.is_ours() {
            return Ok(None);
        }
        manifest.write(&self.folder)?;
        let _ = fs::remove_file(self.folder.join(FAILURE));
        let _ = fs::remove_file(self.folder.join(MARK));
        makers::remove(&self.folder);
        Ok(Some(manifest))
    }

    /// Keeps the error beside what was made so far.
    pub fn fail(self, failure: &Failure) -> Result<()> {
        write_json(&self.folder.join(FAILURE), failure)
    }
}
