//! A profile from a command's begin to its end, its worker processes' included.

use crate::cli::profile::table;
use crate::cli::profile::trace::{self, Worker};
use crate::cli::screen::terminal::{say, thousands, warning};
use crate::machine::profile::recorder;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The flag, as commands take it.
#[derive(Args, Clone, Debug)]
pub struct Profile {
    /// Say at the end where the time went, by operation, and write a trace for ui.perfetto.dev [FILE: profile.json]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "profile.json")]
    pub profile: Option<PathBuf>,
}

/// The name of the flag in a call.
const FLAG: &str = "--profile";

/// Whether this process tells what it found, or the one that started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    Itself,
    Parent,
}

static SESSION: OnceLock<Session> = OnceLock::new();

struct Session {
    path: PathBuf,
    process: &'static str,
    teller: Teller,
    workers: Mutex<Vec<Started>>,
}

/// A worker process that this one started.
struct Started {
    /// Its place among the devices of the call, by which workers are told: they start at once, in any order.
    place: usize,
    process: String,
    trace: PathBuf,
}

/// Begins a profile of this process, the command `process`, where one is asked for.
///
/// # Errors
/// A file that cannot be written, and one that is no trace of ours: it is not overwritten.
pub fn begin(asked: &Profile, process: &'static str, teller: Teller) -> Result<()> {
    let Some(path) = &asked.profile else {
        return Ok(());
    };
    prepare(path).with_context(|| format!("{FLAG}={}", path.display()))?;
    SESSION.get_or_init(|| Session {
        path: path.clone(),
        process,
        teller,
        workers: Mutex::default(),
    });
    recorder::begin();
    Ok(())
}

fn prepare(path: &Path) -> Result<()> {
    ensure!(
        !path.is_dir(),
        "it is a folder\nhint: name a file in it, such as `{FLAG}={}`",
        path.join("profile.json").display()
    );
    if path.exists() {
        ensure!(
            trace::is_ours(path)?,
            "the file exists and is no trace of an earlier profile\nhint: name another file, or remove this one"
        );
    }
    trace::begin(path)
        .context("the trace cannot be written\nhint: name a file in a folder that exists and may be written to")
}

/// The flag for a process that this one starts, called `process`, at `place` of the devices; None where no profile is taken.
pub fn for_worker(process: &str, place: usize) -> Option<OsString> {
    let session = SESSION.get()?;
    let mut workers = session
        .workers
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut trace = session.path.clone().into_os_string();
    trace.push(format!(".worker-{}", workers.len() + 1));
    let mut flag = OsString::from(format!("{FLAG}="));
    flag.push(&trace);
    workers.push(Started {
        place,
        process: process.to_string(),
        trace: trace.into(),
    });
    Some(flag)
}

/// Whether an argument of a call is the flag.
pub fn is_flag(argument: &std::ffi::OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    bytes == FLAG.as_bytes() || bytes.starts_with(format!("{FLAG}=").as_bytes())
}

/// Ends the profile, where one was begun: writes the trace, and tells where the time went.
///
/// # Errors
/// A trace that cannot be written; the table is told before.
pub fn end() -> Result<()> {
    let (Some(session), Some(found)) = (SESSION.get(), recorder::end()) else {
        return Ok(());
    };
    let own = trace::totals(&found, session.process);
    let mut workers = session
        .workers
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    // A worker that was started again stands behind the one that died.
    workers.sort_by_key(|worker| worker.place);
    let traces: Vec<Worker> = workers
        .iter()
        .map(|Started { process, trace, .. }| Worker {
            path: trace,
            process,
        })
        .collect();
    let theirs = trace::write(&session.path, &found, &own, &traces);
    let all = theirs.as_deref().unwrap_or_default();
    let processes: Vec<_> = [&own].into_iter().chain(all).cloned().collect();
    if session.teller == Teller::Itself {
        say(&format!("\n{}", table::text(&processes)));
    }
    let theirs = theirs.with_context(|| format!("{FLAG}={}", session.path.display()))?;
    if session.teller == Teller::Parent {
        return Ok(());
    }
    for worker in &traces {
        // It is part of the whole now.
        let _ = std::fs::remove_file(worker.path);
    }
    if theirs.len() < traces.len() {
        warning(&format!(
            "{} of {} worker processes left no profile: they did not end by themselves",
            traces.len() - theirs.len(),
            traces.len()
        ));
    }
    let (spans, kept) = processes.iter().fold((0, 0), |(spans, kept), process| {
        (spans + process.spans, kept + process.kept)
    });
    let some = if kept < spans {
        format!(
            " with the first {} of {} operations of the table",
            thousands(kept),
            thousands(spans)
        )
    } else {
        String::new()
    };
    say(&format!(
        "  trace: {}{some}, for ui.perfetto.dev or chrome://tracing",
        session.path.display()
    ));
    Ok(())
}
