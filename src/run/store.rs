//! The store: one folder a result, named by its key. Whatever kills a run, the next one goes on from what is there.

use crate::experiment::key::Key;
use crate::io::disk::read_json;
use crate::jobs::files::parts::LEASE;
use crate::jobs::stage::{Stage, Wanted};
use crate::process::table;
use crate::run::lease::holder::{self, Holder};
use crate::run::lease::living;
use crate::run::lease::presence::remove_unfinished;
use crate::run::manifest::{MANIFEST, Manifest};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Folders of the store for what is asked without an experiment file, and the command that asks.
pub const ANSWERS: [(&str, &str); 4] = [
    ("described", "score"),
    ("likelihood", "likelihood"),
    ("inversion", "reconstruct"),
    ("interpolation", "reconstruct"),
];

pub const JOB: &str = "job.toml";
pub const LOG: &str = "log.txt";
pub const FAILURE: &str = "failure.json";

/// How far an unfinished result was when it was last told.
pub const MARK: &str = "progress.json";

/// How far an unfinished result is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub done: u64,
    pub total: u64,
    pub unit: String,
}

/// The files of an entry that are about the result, not the result.
pub const OWN: [&str; 5] = [JOB, LOG, FAILURE, MARK, MANIFEST];

/// Why the last try of a job ended without a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, with its hints.
    pub error: String,
    pub device: String,
    pub host: String,
    /// RFC 3339, UTC.
    pub at: String,
    pub seconds: f64,
}

impl Failure {
    /// Of this machine, now; `seconds` is how long the try took.
    pub fn now(error: String, device: &str, seconds: f64) -> Failure {
        Failure {
            error,
            device: device.to_string(),
            host: table::host(),
            at: jiff::Timestamp::now().to_string(),
            seconds,
        }
    }
}

/// Where a result stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Stored(Box<Manifest>),
    /// Somebody is making it now.
    Running(Holder, Option<Mark>),
    Failed(Failure),
    /// Begun and left, with what is made so far.
    Partial(Option<Mark>),
    Missing,
}

impl State {
    pub fn stored(&self) -> bool {
        matches!(self, State::Stored(_))
    }
}

#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// A store in `root`, which need not exist until something is written.
    pub fn new(root: &Path) -> Store {
        Store {
            root: root.to_path_buf(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Refuses a store that cannot be written, before any work.
    pub fn prepare(&self) -> Result<()> {
        let probe = self.root.join(format!(".probe-{}", std::process::id()));
        let written = fs::create_dir_all(&self.root).and_then(|()| fs::write(&probe, b"x"));
        let _ = fs::remove_file(&probe);
        written.with_context(|| format!("the store `{}` cannot be written", self.root.display()))
    }

    /// The folder of a result.
    pub fn folder(&self, stage: Stage, key: &Key) -> PathBuf {
        self.root.join(stage.name()).join(key.short())
    }

    pub fn state(&self, stage: Stage, key: &Key, wanted: &Wanted) -> State {
        let folder = self.folder(stage, key);
        if !folder.is_dir() {
            return State::Missing;
        }
        if let Some(manifest) = self.manifest(stage, key)
            && manifest.count >= wanted.count
            && wanted.copies.iter().all(|path| path.exists())
            && manifest.holds(&folder)
        {
            return State::Stored(Box::new(manifest));
        }
        let mark = read_json(&folder.join(MARK)).ok();
        if let Some(holder) = self.holder(&folder) {
            return State::Running(holder, mark);
        }
        match read_json(&folder.join(FAILURE)) {
            Ok(failure) => State::Failed(failure),
            Err(_) => State::Partial(mark),
        }
    }

    /// The manifest of `key`; None where there is none that can be read, or it is another key's.
    pub fn manifest(&self, stage: Stage, key: &Key) -> Option<Manifest> {
        let path = self.folder(stage, key).join(MANIFEST);
        let manifest: Manifest = read_json(&path).ok()?;
        (manifest.key == *key).then_some(manifest)
    }

    /// The folder of a result, made where it is missing.
    pub fn entry(&self, stage: Stage, key: &Key) -> Result<PathBuf> {
        let folder = self.folder(stage, key);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(folder)
    }

    /// The failure of the last try, if it failed.
    pub fn failure(&self, stage: Stage, key: &Key) -> Option<Failure> {
        read_json(&self.folder(stage, key).join(FAILURE)).ok()
    }

    /// Somebody who works in `folder`, whether on the whole or on a part.
    pub fn holder(&self, folder: &Path) -> Option<Holder> {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let leases = files
            .map(|file| file.path())
            .filter(|path| path.to_string_lossy().ends_with(LEASE));
        leases
            .filter_map(|path| match holder::read(&path) {
                holder::Read::Held(holder) => Some(*holder),
                holder::Read::Free | holder::Read::Unreadable => None,
            })
            .find(|holder| !living::is_gone(&self.root, holder))
    }

    /// Removes what killed runs left half-written in `folder`; whole files never carry such names.
    pub fn remove_torn(&self, folder: &Path) -> Result<()> {
        for entry in
            fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
        {
            remove_unfinished(&self.root, &entry?.path());
        }
        Ok(())
    }

    /// Forgets a result; refused while somebody makes it.
    pub fn forget(&self, stage: &str, name: &str) -> Result<()> {
        let folder = self.root.join(stage).join(name);
        if !folder.exists() {
            return Ok(());
        }
        if let Some(holder) = self.holder(&folder) {
            bail!(
                "{} is being made by process {} on {}",
                folder.display(),
                holder.pid,
                holder.host
            );
        }
        // The manifest goes first: a half-removed entry must not look done.
        let _ = fs::remove_file(folder.join(MANIFEST));
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))
    }

    /// Every result of a job of an experiment.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        self.within(&Stage::ALL.map(Stage::name))
    }

    /// Everything that `score`, `likelihood` and `reconstruct` keep to go on from.
    pub fn answers(&self) -> Result<Vec<Entry>> {
        self.within(&ANSWERS.map(|(folder, _)| folder))
    }

    fn within(&self, stages: &[&'static str]) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        for stage in stages {
            let Ok(folders) = fs::read_dir(self.root.join(stage)) else {
                continue;
            };
            for entry in folders {
                let entry = entry.with_context(|| format!("reading {}", self.root.display()))?;
                if entry.path().is_dir() {
                    found.push(Entry {
                        stage,
                        name: entry.file_name().to_string_lossy().into_owned(),
                        folder: entry.path(),
                    });
                }
            }
        }
        found.sort_by(|a, b| (a.stage, &a.name).cmp(&(b.stage, &b.name)));
        Ok(found)
    }
}

/// A folder of the store, whatever is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub stage: &'static str,
    pub name: String,
    pub folder: PathBuf,
}

impl Entry {
    pub fn bytes(&self) -> u64 {
        let files = WalkDir::new(&self.folder).into_iter().flatten();
        files
            .filter_map(|file| file.metadata().ok())
            .filter(|meta| meta.is_file())
            .map(|meta| meta.len())
            .sum()
    }

    pub fn manifest(&self) -> Option<Manifest> {
        read_json(&self.folder.join(MANIFEST)).ok()
    }

    /// The resolved inputs of the job, as text.
    pub fn job(&self) -> Option<String> {
        fs::read_to_string(self.folder.join(JOB)).ok()
    }
}
