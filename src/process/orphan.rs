//! A command whose program was killed with SIGKILL: it is written down while it runs, so that the next program ends it.

use super::family::{Ending, Family, Process};
use super::system;
use super::table;
use crate::io::disk::read_json;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Running {
    host: String,
    /// The start of the machine and the container within which the numbers mean something.
    namespace: Option<String>,
    /// The program that runs the command.
    runner: Process,
    session: i32,
    leader: Process,
    /// Descendants that left the leader's group.
    outside: BTreeSet<Process>,
}

impl Running {
    fn of(family: &Family) -> Running {
        let own = system::own();
        let born = table::entry(own.pid).map_or(0, |entry| entry.born);
        Running {
            host: table::host(),
            namespace: table::namespace(),
            runner: Process { pid: own.pid, born },
            session: own.session,
            leader: family.leader(),
            outside: family.outside().clone(),
        }
    }

    /// At once or not at all, and not synced: the command has begun already, and after a power cut nothing of it runs.
    fn write(&self, path: &Path) -> Result<()> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".part");
        fs::write(&aside, serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(&aside, path)?)
    }
}

/// The file of a command that runs.
pub(super) struct Record<'a> {
    path: &'a Path,
    running: Running,
}

impl<'a> Record<'a> {
    pub fn write(path: &'a Path, family: &Family) -> Result<Record<'a>> {
        let running = Running::of(family);
        running
            .write(path)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(Record { path, running })
    }

    pub fn update(&mut self, family: &Family) {
        if *family.outside() != self.running.outside {
            self.running.outside = family.outside().clone();
            // A full disk is no reason to end a command of hours; the file names the group already.
            let _ = self.running.write(self.path);
        }
    }

    pub fn remove(self) -> Result<()> {
        remove(self.path)
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What was left of a recorded command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Former {
    /// Nothing was recorded, or nothing of it lives.
    Nothing,
    /// So many processes were ended.
    Ended(usize),
    /// It ran on another machine or in another container, where this program sees no processes; the file stays.
    Elsewhere { host: String },
}

/// Ends what is left of the command that `path` records, if its program is gone: SIGTERM, then SIGKILL after `grace`.
/// Only what is surely of it is ended: its group, as long as the number is not another leader's, and the descendants that
/// were recorded, each by the time at which it was started.
///
/// # Errors
/// A file that is no record, a program that still runs, a process that this user may not end.
pub fn end_recorded(path: &Path, grace: Duration) -> Result<Former> {
    match fs::metadata(path) {
        // What a power cut may leave of a file that was not synced.
        Ok(meta) if meta.len() == 0 => {
            remove(path)?;
            return Ok(Former::Nothing);
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Former::Nothing),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    }
    let running: Running = read_json(path)
        .with_context(|| format!("{0} does not say which command ran\nhint: see that none runs any more, then remove {0}", path.display()))?;
    if running.host != table::host() || running.namespace != table::namespace() {
        if is_former_boot(&running) {
            remove(path)?;
            return Ok(Former::Nothing);
        }
        return Ok(Former::Elsewhere { host: running.host });
    }
    let runner = running.runner;
    if table::born(runner.pid as u32) == Some(runner.born) {
        bail!(
            "process {} runs the command of {} still",
            runner.pid,
            path.display()
        );
    }
    let mut family = Family::former(running.leader, running.session, running.outside);
    let mut ended: BTreeSet<Process> = BTreeSet::new();
    let mut ending: Option<Ending> = None;
    loop {
        let living = family.living();
        if living.is_empty() {
            break;
        }
        ended.extend(&living);
        match &ending {
            Some(ending) => ending.go_on(&family, &living)?,
            None => ending = Some(Ending::begin(&family, &living, grace)?),
        }
        std::thread::sleep(LOOK);
    }
    remove(path)?;
    Ok(match ended.len() {
        0 => Former::Nothing,
        n => Former::Ended(n),
    })
}

const LOOK: Duration = Duration::from_millis(20);

/// Whether it ran on this machine before it was started again.
fn is_former_boot(running: &Running) -> bool {
    let boot = |namespace: &Option<String>| {
        let text = namespace.as_deref()?;
        Some(text.split(' ').next()?.to_string())
    };
    let (then, now) = (boot(&running.namespace), boot(&table::namespace()));
    running.host == table::host() && then.is_some() && now.is_some() && then != now
}
