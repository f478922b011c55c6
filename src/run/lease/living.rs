//! Whether the holder of a lease still lives: by the table of processes where it can be seen, else by its heartbeats, which
//! are compared with each other and with no clock but this process's own.

use crate::jobs::files::parts::LEASE;
use crate::process::table;
use crate::run::lease::holder::{Holder, Read, WORKERS, read};
use crate::run::lock::locked;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// Between two heartbeats of a worker.
pub const BEAT: Duration = Duration::from_secs(5);

/// Somebody whose file has not changed for so long, as this process has watched, is gone. NFS clients may show a file as it
/// was up to a minute ago.
pub const COLD: Duration = Duration::from_secs(90);

/// Between two looks at one file: whoever waits for many must not keep a file server busy with it.
const LOOK: Duration = Duration::from_secs(10);

/// How a file was when it was looked at; None where it is not there.
type Stamp = Option<(Option<SystemTime>, u64)>;

/// What this process has seen of a file that another keeps warm.
struct Seen {
    stamp: Stamp,
    since: Instant,
    looked: Instant,
}

/// What this process has seen of all such files.
#[derive(Default)]
pub struct Watched {
    seen: HashMap<PathBuf, Seen>,
}

impl Watched {
    /// Whether the file has not changed for `cold`, as seen at `now` and at the looks before.
    pub fn is_cold(&mut self, path: &Path, now: Instant, cold: Duration) -> bool {
        let known = self.seen.get(path);
        if known.is_some_and(|seen| {
            now.duration_since(seen.looked) < LOOK && now.duration_since(seen.since) < cold
        }) {
            return false;
        }
        let meta = fs::metadata(path).ok();
        let stamp = meta.map(|meta| (meta.modified().ok(), meta.len()));
        let since = match known {
            Some(seen) if seen.stamp == stamp => seen.since,
            _ => now,
        };
        let looked = now;
        let seen = Seen {
            stamp,
            since,
            looked,
        };
        self.seen.insert(path.to_path_buf(), seen);
        now.duration_since(since) >= cold
    }

    pub fn forget(&mut self, path: &Path) {
        self.seen.remove(path);
    }
}

/// What is sure of a process at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Lives,
    Dead,
    /// It is on another machine or in another container.
    OutOfSight,
}

/// Whether the process lives, as far as the table of processes shows it.
pub fn life(holder: &Holder) -> Life {
    let here = holder.namespace.is_some() && holder.namespace == table::namespace();
    if !here || !table::is_shown() {
        return Life::OutOfSight;
    }
    let now = table::born(holder.pid);
    if now.is_some() && (holder.born.is_none() || now == holder.born) {
        Life::Lives
    } else {
        Life::Dead
    }
}

/// Whether `holder` of a lease in the store `root` is gone. One out of sight has to be watched for [`COLD`] first.
pub fn is_gone(root: &Path, holder: &Holder) -> bool {
    match life(holder) {
        Life::Lives => false,
        Life::Dead => true,
        Life::OutOfSight => is_cold(&heartbeat(root, &holder.worker)),
    }
}

/// Somebody who works in `folder`, a result of a store, whether on the whole or on a part.
pub fn holder_in(folder: &Path) -> Option<Holder> {
    // STORE/STAGE/KEY
    let root = folder.ancestors().nth(2).unwrap_or(folder);
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let leases = files
        .map(|file| file.path())
        .filter(|path| path.to_string_lossy().ends_with(LEASE));
    leases
        .filter_map(|path| match read(&path) {
            Read::Held(holder) => Some(*holder),
            Read::Free | Read::Unreadable => None,
        })
        .find(|holder| !is_gone(root, holder))
}

/// The file that a worker keeps warm.
pub fn heartbeat(root: &Path, worker: &str) -> PathBuf {
    root.join(WORKERS).join(format!("{worker}.json"))
}

/// Whether nobody has touched the file as long as this process has watched it, and that for [`COLD`].
pub fn is_cold(path: &Path) -> bool {
    watched(|watched| watched.is_cold(path, Instant::now(), COLD))
}

/// Lets go of what was seen of a file that is no more.
pub fn forget(path: &Path) {
    watched(|watched| watched.forget(path))
}

fn watched<T>(ask: impl FnOnce(&mut Watched) -> T) -> T {
    static WATCHED: OnceLock<Mutex<Watched>> = OnceLock::new();
    let watched = WATCHED.get_or_init(Default::default);
    ask(&mut locked(watched))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_judged_by_its_change_and_not_by_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.json");
        fs::write(&file, "1").unwrap();
        let (mut watched, start) = (Watched::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut cold = |seconds| watched.is_cold(&file, at(seconds), COLD);
        let touch = |time: SystemTime| {
            let file = fs::File::options().append(true).open(&file).unwrap();
            file.set_modified(time).unwrap();
        };
        assert!(!cold(0), "the first look knows nothing");
        assert!(!cold(89));
        // The other machine's clock stands in 1970, and goes back.
        touch(SystemTime::UNIX_EPOCH + Duration::from_secs(500));
        assert!(!cold(100));
        touch(SystemTime::UNIX_EPOCH + Duration::from_secs(100));
        assert!(!cold(180));
        assert!(!cold(269));
        assert!(cold(270), "90 seconds without a change");
        // An hour ahead, and again none.
        touch(SystemTime::now() + Duration::from_secs(3600));
        assert!(!cold(300));
        fs::remove_file(&file).unwrap();
        assert!(!cold(380), "that it is gone is a change too");
        assert!(cold(470));
    }
}
