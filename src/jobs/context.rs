//! The context: all that a stage may touch of the world around it.

use crate::experiment::key::Key;
use crate::jobs::granted::Granted;
use crate::jobs::sharing::claims::{Alone, Claims};
use anyhow::{Context, Result};
use candle_core::{DType, Device};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// How far a job is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
    /// `images`, `steps`.
    pub unit: &'static str,
    /// What else is worth a glance, such as `loss 0.0412`; may be empty.
    pub note: String,
}

/// The error of a job that was asked to stop: what it has made so far is kept.
#[derive(Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped; what is made so far is kept")
    }
}

impl std::error::Error for Stopped {}

/// Whoever looks at long work from outside: hears how far it is, and may ask it to stop.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    pub tell: &'a dyn Fn(Progress),
    /// Hears what is odd and does not end the work.
    pub warn: &'a dyn Fn(&str),
    /// Set to stop after the part at hand.
    pub stop: &'a AtomicBool,
}

impl Watch<'_> {
    pub fn tell(&self, progress: Progress) {
        (self.tell)(progress)
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Stopped`] where somebody asked to stop.
    pub fn go_on(&self) -> Result<()> {
        if self.stopped() {
            return Err(Stopped.into());
        }
        Ok(())
    }
}

pub struct JobContext<'a> {
    pub device: Device,
    pub dtype: DType,
    /// The job's own folder. What an earlier, interrupted run left in it is still there, to be continued.
    pub out: PathBuf,
    /// The store's folder: described images lie there, named by their content, for whoever needs them next.
    pub store: PathBuf,
    /// What a program may be given; nothing where none is run.
    pub granted: Granted,
    /// Who makes which part, where several workers make one result.
    pub claims: &'a dyn Claims,
    /// Set once somebody else has taken the job over, because this process was thought dead.
    pub lost: Arc<AtomicBool>,
    input: &'a (dyn Fn(&Key) -> PathBuf + Sync),
    tell: &'a (dyn Fn(Progress) + Sync),
    stop: &'a AtomicBool,
    log: Mutex<File>,
    warnings: Mutex<Vec<String>>,
}

impl<'a> JobContext<'a> {
    /// Opens `out/log.txt` to append to it; `out` must exist.
    pub fn new(
        device: Device,
        out: &Path,
        store: &Path,
        input: &'a (dyn Fn(&Key) -> PathBuf + Sync),
        tell: &'a (dyn Fn(Progress) + Sync),
        stop: &'a AtomicBool,
    ) -> Result<JobContext<'a>> {
        let path = out.join("log.txt");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(JobContext {
            device,
            dtype: DType::F32,
            out: out.to_path_buf(),
            store: store.to_path_buf(),
            granted: Granted::default(),
            claims: &Alone,
            lost: Arc::default(),
            input,
            tell,
            stop,
            log: Mutex::new(log),
            warnings: Mutex::default(),
        })
    }

    /// The folder that holds the finished result of `key`.
    pub fn input(&self, key: &Key) -> PathBuf {
        (self.input)(key)
    }

    pub fn tell(&self, progress: Progress) {
        (self.tell)(progress)
    }

    /// Somebody asked to stop: finish the batch or the step at hand, keep it, and return `Err(Stopped.into())`.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.lost.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Stopped`] where somebody asked to stop.
    pub fn go_on(&self) -> Result<()> {
        if self.stopped() {
            return Err(Stopped.into());
        }
        Ok(())
    }

    /// The same, for what looks at it by itself.
    pub fn stop(&self) -> &AtomicBool {
        self.stop
    }

    /// One line in the job's `log.txt`, with the time (UTC) before it.
    pub fn log(&self, line: &str) {
        let now = jiff::Timestamp::now()
            .strftime("%Y-%m-%d %H:%M:%SZ")
            .to_string();
        if let Ok(mut file) = self.log.lock() {
            // A full disk shows in the job's own files; its log must not be what stops it.
            let _ = writeln!(file, "{now} {line}");
        }
    }

    /// A line in the log that is also kept in the manifest and shown in the report.
    pub fn warn(&self, line: &str) {
        self.log(&format!("warning: {line}"));
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(line.to_string());
        }
    }

    /// The warnings so far, each once.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = self.warnings.lock().map(|w| w.clone()).unwrap_or_default();
        lines.sort();
        lines.dedup();
        lines
    }
}
