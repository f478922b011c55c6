//! This process as a worker of a store: the file that it keeps warm there, and the leases that it takes.

use crate::io::disk::{create_new, read_json, replace_unsynced, writer, writer_of};
use crate::jobs::context::Progress;
use crate::run::lease::holder::{self, Holder, Read, WORKERS};
use crate::run::lease::living::{self, BEAT};
use crate::run::lease::record::{Doing, WorkerRecord, workers};
use crate::run::lock::locked;
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

/// This process in the store, until it is dropped.
pub struct Presence {
    shared: Arc<Shared>,
    beating: Option<JoinHandle<()>>,
}

/// What the worker and its heartbeat share.
struct Shared {
    root: PathBuf,
    /// The file that is kept warm.
    file: PathBuf,
    record: Mutex<WorkerRecord>,
    held: Mutex<Vec<Arc<Held>>>,
    /// Who held leases of others when they were last read.
    known: Mutex<HashMap<PathBuf, Holder>>,
    over: Mutex<bool>,
    wake: Condvar,
}

/// A lease that is held.
struct Held {
    path: PathBuf,
    holder: Holder,
    lost: Arc<AtomicBool>,
}

impl Held {
    fn is_ours(&self) -> bool {
        matches!(holder::read(&self.path), Read::Held(found) if *found == self.holder)
    }
}

/// Whose a lease is once somebody has asked for it.
pub enum Taken {
    Ours(Lease),
    /// Somebody else holds it; None where its file does not say yet who.
    Held(Option<Holder>),
}

/// A lease of this process; dropping it lets go.
pub struct Lease {
    held: Arc<Held>,
    shared: Arc<Shared>,
}

/// A job that this process is at, for `status`; dropping it says that it is over.
pub struct AtWork {
    shared: Arc<Shared>,
    device: String,
    began: Instant,
    /// What was done when the first progress was told.
    first: Mutex<Option<u64>>,
}

impl Presence {
    /// Says in the store `root` that this process works there. `device` is what it works on, `scheduler` the job of a
    /// scheduler that it runs in.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn begin(root: &Path, device: &str, scheduler: Option<&str>) -> Result<Presence> {
        let id = writer().to_string();
        let own = Holder::own(device, 0);
        let record = WorkerRecord {
            id: id.clone(),
            host: own.host,
            pid: own.pid,
            born: own.born,
            namespace: own.namespace,
            device: device.to_string(),
            scheduler: scheduler.map(String::from),
            runner: env!("CARGO_PKG_VERSION").to_string(),
            started: own.since,
            beat: 0,
            done: 0,
            failed: 0,
            doing: Vec::new(),
        };
        let folder = root.join(WORKERS);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        remove_dead(root);
        let shared = Arc::new(Shared {
            file: living::heartbeat(root, &id),
            root: root.to_path_buf(),
            record: Mutex::new(record),
            held: Mutex::default(),
            known: Mutex::default(),
            over: Mutex::new(false),
            wake: Condvar::new(),
        });
        shared
            .write()
            .with_context(|| format!("writing {}", shared.file.display()))?;
        let beating = {
            let shared = shared.clone();
            std::thread::spawn(move || shared.beat())
        };
        Ok(Presence {
            shared,
            beating: Some(beating),
        })
    }

    /// The lease at `path`, in a folder that is there, or who holds it; that of a holder who is gone is taken over.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn take(&self, path: &Path, device: &str) -> Result<Taken> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let own = Holder::own(device, COUNT.fetch_add(1, Ordering::Relaxed));
        let taken = place(&self.shared.root, path, &own);
        if let Some(other) = taken.with_context(|| format!("taking {}", path.display()))? {
            if let Some(other) = &other {
                locked(&self.shared.known).insert(path.to_path_buf(), other.clone());
            }
            return Ok(Taken::Held(other));
        }
        locked(&self.shared.known).remove(path);
        let held = Arc::new(Held {
            path: path.to_path_buf(),
            holder: own,
            lost: Arc::default(),
        });
        locked(&self.shared.held).push(held.clone());
        Ok(Taken::Ours(Lease {
            held,
            shared: self.shared.clone(),
        }))
    }

    /// The holder of a lease that is still there, where he was read before and is not known to be gone: no file is opened.
    pub fn known(&self, path: &Path) -> Option<Holder> {
        let known = locked(&self.shared.known).get(path).cloned()?;
        (!living::is_gone(&self.shared.root, &known)).then_some(known)
    }

    /// Says what this process does on `doing.device` from now on.
    pub fn at(&self, doing: Doing) -> AtWork {
        let device = doing.device.clone();
        locked(&self.shared.record).doing.push(doing);
        AtWork {
            shared: self.shared.clone(),
            device,
            began: Instant::now(),
            first: Mutex::default(),
        }
    }

    /// Counts a job that ended.
    pub fn count(&self, ended: Ended) {
        let mut record = locked(&self.shared.record);
        match ended {
            Ended::Done => record.done += 1,
            Ended::Failed => record.failed += 1,
        }
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Failed,
}

impl Drop for Presence {
    fn drop(&mut self) {
        *locked(&self.shared.over) = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.beating.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.shared.file);
    }
}

impl Shared {
    /// Writes the record aside and puts it in its place; not synced, for after a power cut this process is no more.
    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&*locked(&self.record))?;
        replace_unsynced(&self.file, &text)
    }

    fn beat(&self) {
        let mut over = locked(&self.over);
        loop {
            let waited = self.wake.wait_timeout_while(over, BEAT, |over| !*over);
            over = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *over {
                return;
            }
            locked(&self.record).beat += 1;
            // A full disk takes no new file, and must not look like the death of this process.
            if self.write().is_err()
                && let Ok(file) = fs::File::options().append(true).open(&self.file)
            {
                let _ = file.set_modified(SystemTime::now());
            }
            for held in locked(&self.held).iter().filter(|held| !held.is_ours()) {
                held.lost.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl Lease {
    /// Set once somebody has taken it over: this process was silent for so long that it was thought dead.
    pub fn lost(&self) -> Arc<AtomicBool> {
        self.held.lost.clone()
    }

    /// Whether it is still this process's, by the file itself.
    pub fn is_ours(&self) -> bool {
        self.held.is_ours()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        locked(&self.shared.held).retain(|held| !Arc::ptr_eq(held, &self.held));
        if self.held.is_ours() {
            let _ = fs::remove_file(&self.held.path);
        }
    }
}

impl AtWork {
    /// Notes how far the job is, and at which part, for the next heartbeat.
    pub fn tell(&self, progress: &Progress) {
        let first = *locked(&self.first).get_or_insert(progress.done);
        let seconds = self.began.elapsed().as_secs_f64();
        let mut record = locked(&self.shared.record);
        let doing = record.doing.iter_mut().find(|d| d.device == self.device);
        if let Some(doing) = doing {
            (doing.done, doing.total) = (progress.done, progress.total);
            doing.unit = progress.unit.to_string();
            let made = progress.done.saturating_sub(first) as f64;
            doing.per_second = Some(made / seconds).filter(|rate| *rate > 0.0);
        }
    }

    /// Notes which part of the result is being made.
    pub fn part(&self, part: Option<&str>) {
        let mut record = locked(&self.shared.record);
        if let Some(doing) = record.doing.iter_mut().find(|d| d.device == self.device) {
            doing.part = part.map(String::from);
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut record = locked(&self.shared.record);
        record.doing.retain(|doing| doing.device != self.device);
    }
}

/// Makes the lease unless a living process holds it, which is then returned; one of a process that is gone is moved
/// aside first.
fn place(root: &Path, path: &Path, own: &Holder) -> Result<Option<Option<Holder>>> {
    for _ in 0..8 {
        match create_new(path, &serde_json::to_vec(own)?) {
            Ok(()) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        let found = holder::read(path);
        match &found {
            Read::Free => continue,
            Read::Held(other) if !living::is_gone(root, other) => {
                return Ok(Some(Some(Holder::clone(other))));
            }
            Read::Unreadable if !living::is_cold(path) => return Ok(Some(None)),
            Read::Held(_) | Read::Unreadable => {}
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = path.with_file_name(format!(".{name}.{}-{}.part", writer(), own.nonce));
        if fs::rename(path, &aside).is_err() {
            continue;
        }
        living::forget(path);
        // Between the look and the rename somebody else may have taken it over: then it is given back.
        if holder::read(&aside) != found
            && let Ok(text) = fs::read(&aside)
        {
            let _ = create_new(path, &text);
        }
        let _ = fs::remove_file(&aside);
    }
    bail!("the lease changes hands too often")
}

/// Removes what workers left in `workers` that are surely dead.
fn remove_dead(root: &Path) {
    for found in workers(root).into_iter().filter(|found| !found.lives()) {
        let _ = fs::remove_file(living::heartbeat(root, &found.record.id));
    }
    let folder = root.join(WORKERS);
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        remove_unfinished(root, &file.path());
    }
}

/// Removes a file that its writer left unfinished, where that one is gone; it is left where this cannot be told yet.
pub fn remove_unfinished(root: &Path, path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(writer) = writer_of(&name) else {
        return;
    };
    let heartbeat = living::heartbeat(root, writer);
    let gone = match read_json::<WorkerRecord>(&heartbeat) {
        Ok(record) => living::is_gone(root, &record.holder()),
        // Its record may be removed already, or not be seen yet.
        Err(_) => living::is_cold(path),
    };
    if gone {
        let _ = fs::remove_file(path);
    }
}
