//! Who is working on a store entry: a file made whole and exclusively, kept warm by a heartbeat, taken over when cold.

use crate::io::disk::{read_json, write_json};
use crate::jobs::context::Progress;
use crate::process::table;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

const BEAT: Duration = Duration::from_secs(5);
/// The lease of another machine that has not beaten for so long is dead.
const COLD: Duration = Duration::from_secs(90);

/// What stands in the lease file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub host: String,
    pub pid: u32,
    /// When the process was started, in the kernel's ticks: a reused pid is not the same process.
    pub born: Option<u64>,
    pub device: String,
    /// Seconds since 1970.
    pub since: u64,
    token: String,
}

/// How far an unfinished job was at its last heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub done: u64,
    pub total: u64,
    pub unit: String,
}

pub const LEASE: &str = "lease";
pub const MARK: &str = "progress.json";

/// A lease that is held; dropping it lets go.
pub struct Lease {
    folder: PathBuf,
    holder: Holder,
    shared: Arc<Shared>,
    beating: Option<JoinHandle<()>>,
}

/// Whose a folder is once somebody has asked for it.
pub enum Taken {
    Ours(Lease),
    /// Somebody else already works there.
    Held(Holder),
}

#[derive(Default)]
struct Shared {
    mark: Mutex<Option<Mark>>,
    over: Mutex<bool>,
    wake: Condvar,
}

/// The lease of `folder`, or who holds it.
pub fn take(folder: &Path, device: &str) -> Result<Taken> {
    let holder = Holder {
        host: table::host(),
        pid: std::process::id(),
        born: table::born(std::process::id()),
        device: device.to_string(),
        since: seconds(SystemTime::now()),
        token: token(),
    };
    let path = folder.join(LEASE);
    let own = folder.join(format!("{LEASE}.{}", holder.token));
    write_json(&own, &holder)?;
    let result = place(&path, &own, &holder);
    let _ = fs::remove_file(&own);
    if let Some(other) =
        result.with_context(|| format!("taking the lease of {}", folder.display()))?
    {
        return Ok(Taken::Held(other));
    }
    let shared = Arc::new(Shared::default());
    let beating = {
        let (shared, folder, holder) = (shared.clone(), folder.to_path_buf(), holder.clone());
        std::thread::spawn(move || beat(&shared, &folder, &holder))
    };
    Ok(Taken::Ours(Lease {
        folder: folder.to_path_buf(),
        holder,
        shared,
        beating: Some(beating),
    }))
}

/// Links `own` as the lease unless a living one is there; a cold one is moved aside first.
fn place(path: &Path, own: &Path, holder: &Holder) -> Result<Option<Holder>> {
    for _ in 0..8 {
        match fs::hard_link(own, path) {
            Ok(()) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        let Some((other, living)) = look(path) else {
            continue;
        };
        if living {
            return Ok(Some(other));
        }
        let aside = own.with_extension(format!("{}-cold", holder.token));
        if fs::rename(path, &aside).is_err() {
            continue;
        }
        // Between the look and the rename somebody else may have taken it over: then it is theirs.
        let moved: Option<Holder> = read_json(&aside).ok();
        if moved.as_ref().is_some_and(|moved| *moved != other) {
            let _ = fs::hard_link(&aside, path);
        }
        let _ = fs::remove_file(&aside);
    }
    anyhow::bail!("the lease changes hands too often")
}

/// Who holds the folder now, if the holder lives.
pub fn holder(folder: &Path) -> Option<Holder> {
    look(&folder.join(LEASE))
        .filter(|(_, living)| *living)
        .map(|(holder, _)| holder)
}

fn look(path: &Path) -> Option<(Holder, bool)> {
    let touched = fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
    let holder: Holder = read_json(path).ok()?;
    let age = touched.elapsed().unwrap_or_default();
    let dead = holder.host == table::host() && !lives(&holder);
    Some((holder, !dead && age < COLD))
}

fn lives(holder: &Holder) -> bool {
    if !table::is_shown() {
        return true;
    }
    let now = table::born(holder.pid);
    now.is_some() && (holder.born.is_none() || now == holder.born)
}

fn beat(shared: &Shared, folder: &Path, holder: &Holder) {
    let path = folder.join(LEASE);
    let mut written = None;
    loop {
        let mine = read_json::<Holder>(&path).is_ok_and(|now| now == *holder);
        if mine && let Ok(file) = fs::File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        let mark = shared.mark.lock().map(|m| m.clone()).unwrap_or_default();
        if let Some(mark) = mark
            && written.as_ref() != Some(&mark)
        {
            // Only a courtesy to `status`: a full disk is told by the job itself.
            let _ = write_json(&folder.join(MARK), &mark);
            written = Some(mark);
        }
        let Ok(over) = shared.over.lock() else { return };
        let Ok((over, _)) = shared.wake.wait_timeout_while(over, BEAT, |over| !*over) else {
            return;
        };
        if *over {
            return;
        }
    }
}

impl Lease {
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Notes how far the job is, for the next heartbeat.
    pub fn mark(&self, progress: &Progress) {
        if let Ok(mut mark) = self.shared.mark.lock() {
            *mark = Some(Mark {
                done: progress.done,
                total: progress.total,
                unit: progress.unit.to_string(),
            });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Ok(mut over) = self.shared.over.lock() {
            *over = true;
        }
        self.shared.wake.notify_all();
        if let Some(thread) = self.beating.take() {
            let _ = thread.join();
        }
        if let Ok(Some(mark)) = self.shared.mark.lock().map(|mark| mark.clone()) {
            let _ = write_json(&self.folder.join(MARK), &mark);
        }
        let path = self.folder.join(LEASE);
        if read_json::<Holder>(&path).is_ok_and(|now| now == self.holder) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn token() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = now.map(|d| d.as_nanos()).unwrap_or_default();
    format!("{}-{n}-{nanos}", std::process::id())
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map(|d| d.as_secs()).unwrap_or_default()
}
