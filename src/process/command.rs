//! Runs a command to its end, whatever that is, and leaves nothing of it behind.

use super::family::{Ending, Family, Process};
use super::orphan::Record;
use super::output::{Said, read};
use super::start::start;
use super::system::{self, Adoption, Pipe, Reaped, Signal};
use super::table;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use super::output::{LONGEST_LINE, LONGEST_RESULT, Stream, TAIL};

/// What is run, and how.
pub struct Command<'a> {
    /// The program and its arguments, as they are: no shell reads them.
    pub argv: &'a [String],
    /// The folder in which it runs; a program with a `/` in its name is looked for from there.
    pub folder: &'a Path,
    /// Its whole environment; of a name that comes twice the last counts.
    pub environment: Vec<(OsString, OsString)>,
    /// Files that every process of the command inherits open: the locks of its devices. No other command may have them.
    pub keep_open: Vec<&'a File>,
    /// How long it may take; no limit where there is none.
    pub timeout: Option<Duration>,
    /// Between the request to end (SIGTERM) and the end (SIGKILL).
    pub grace: Duration,
    /// Where to write down what runs, for as long as it runs; see [`crate::process::orphan`].
    pub record: Option<&'a Path>,
}

/// The usual [`Command::grace`].
pub const GRACE: Duration = Duration::from_secs(30);
/// How long what is left of a command has to end by itself after its leader did.
pub const SETTLE: Duration = Duration::from_millis(500);

/// How the command's first process, its leader, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal, which this program did not send.
    Killed(i32),
    /// It was ended after [`Command::timeout`].
    TimedOut,
    /// It was ended on request.
    Stopped,
}

#[derive(Clone, Debug)]
pub struct Finished {
    pub ended: Ended,
    /// The last lines of stdout and stderr together, [`TAIL`] at most, as a terminal would still show them.
    pub output: Vec<String>,
    /// The last line of stdout that is not blank, up to [`LONGEST_RESULT`] bytes.
    pub last_line_of_stdout: Option<String>,
    /// From the start until the leader had ended.
    pub seconds: f64,
    /// Bytes: the most that one of its processes had in memory, of those that were waited for.
    pub peak_memory: Option<u64>,
    /// Processes that the leader left behind when it ended by itself, and that did not follow it within [`SETTLE`]: they
    /// were ended.
    pub left_behind: usize,
}

/// How often the program looks at the command, at first and later.
const LOOKS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(50)];
const TICK: Duration = Duration::from_secs(1);
/// How often descendants that leave the group are looked for.
const SEARCH: Duration = Duration::from_secs(2);

/// Runs a command until no process of it is left.
///
/// `line` gets every line as it is written (cut at [`LONGEST_LINE`] bytes, which is told in it) on one of two threads, `tick`
/// is called about once a second on this one, and `stop` ends the command: SIGTERM to all of it, SIGKILL after the grace.
/// Its stdin is empty. On Linux its leader also gets SIGTERM when the thread that called this ends, as it does when this
/// program is killed.
///
/// # Errors
/// A command that cannot be started, with what was looked for; a process of it that this user may not end.
pub fn run(
    command: &Command,
    line: &(dyn Fn(Stream, &str) + Sync),
    tick: &mut dyn FnMut(),
    stop: &AtomicBool,
) -> Result<Finished> {
    let adoption = Adoption::start();
    let Command { argv, folder, .. } = command;
    let mut child = start(argv, folder, &command.environment, &command.keep_open)?;
    let out = child.stdout.take().context("no stdout to read")?;
    let err = child.stderr.take().context("no stderr to read")?;
    let files = command.keep_open.iter().map(|file| system::mark(*file));
    let marks = [out.mark(), err.mark()].into_iter().chain(files);
    let family = Family::of_child(child.id() as i32, marks.flatten().collect(), adoption);
    let mut watch = Watch::new(family);
    let (said, over) = (Mutex::new(Said::default()), AtomicBool::new(false));
    let waited = std::thread::scope(|scope| {
        let _raised = RaisedAtEnd(&over);
        scope.spawn(|| read(out, Stream::Stdout, &said, &over, line));
        scope.spawn(|| read(err, Stream::Stderr, &said, &over, line));
        watch.wait(command, tick, stop)
    });
    let (reaped, seconds) = waited?;
    let mut said = said
        .into_inner()
        .unwrap_or_else(|broken| broken.into_inner());
    Ok(Finished {
        ended: watch.forced.unwrap_or(match reaped.end {
            Ok(code) => Ended::Exited(code),
            Err(signal) => Ended::Killed(signal),
        }),
        output: said.tail(),
        last_line_of_stdout: said.result(),
        seconds,
        peak_memory: Some(reaped.peak_memory.max(watch.family.peak_memory())),
        left_behind: watch.left_behind.len(),
    })
}

/// Raised when it goes out of scope, by a panic too: whoever reads the output comes to an end.
struct RaisedAtEnd<'a>(&'a AtomicBool);

impl Drop for RaisedAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A command that runs. Dropped before its end, by an error or a panic, it is killed.
struct Watch {
    family: Family,
    started: Instant,
    /// When the leader was seen to have ended.
    ended: Option<Instant>,
    reaped: Option<Reaped>,
    /// Why this program ended the command.
    forced: Option<Ended>,
    ending: Option<Ending>,
    left_behind: BTreeSet<Process>,
    is_over: bool,
}

impl Watch {
    fn new(family: Family) -> Watch {
        Watch {
            family,
            started: Instant::now(),
            ended: None,
            reaped: None,
            forced: None,
            ending: None,
            left_behind: BTreeSet::new(),
            is_over: false,
        }
    }

    /// Until nothing is left; gives how the leader ended and its seconds.
    fn wait(
        &mut self,
        command: &Command,
        tick: &mut dyn FnMut(),
        stop: &AtomicBool,
    ) -> Result<(Reaped, f64)> {
        let mut record = command
            .record
            .map(|path| Record::write(path, &self.family))
            .transpose()?;
        let (mut ticked, mut searched) = (Instant::now(), Instant::now());
        while !self.is_over {
            self.look_at_leader()?;
            let request = self.request(command, stop);
            let soon = request.is_some() || self.ended.is_some() || self.ending.is_some();
            if soon || searched.elapsed() >= SEARCH {
                searched = Instant::now();
                let living = self.family.living();
                if let Some(record) = &mut record {
                    record.update(&self.family);
                }
                self.advance(request, &living, command.grace)?;
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                tick();
            }
            if !self.is_over {
                let young = self.started.elapsed() < TICK;
                std::thread::sleep(if young { LOOKS[0] } else { LOOKS[1] });
            }
        }
        if let Some(record) = record {
            record.remove()?;
        }
        if self.reaped.is_none() {
            self.reaped = system::reap(self.family.leader().pid)?;
        }
        let reaped = self
            .reaped
            .context("the command ended and does not say how")?;
        let ended = self.ended.unwrap_or_else(Instant::now);
        Ok((reaped, (ended - self.started).as_secs_f64()))
    }

    /// Notices the leader's end. It stays a zombie where the others are found without that, so that the group's number is
    /// given to nobody else before all is over.
    fn look_at_leader(&mut self) -> Result<()> {
        let leader = self.family.leader().pid;
        if self.ended.is_none() && system::has_ended(leader)? {
            self.ended = Some(Instant::now());
            if !table::is_shown() {
                self.reaped = system::reap(leader)?;
            }
        }
        Ok(())
    }

    /// Why the command is to be ended, if it is from now on.
    fn request(&self, command: &Command, stop: &AtomicBool) -> Option<Ended> {
        if self.ended.is_some() || self.ending.is_some() {
            return None;
        }
        if stop.load(Ordering::Acquire) {
            return Some(Ended::Stopped);
        }
        let late = command.timeout.is_some_and(|t| self.started.elapsed() >= t);
        late.then_some(Ended::TimedOut)
    }

    /// One step towards the end, with who lives now.
    fn advance(
        &mut self,
        request: Option<Ended>,
        living: &[Process],
        grace: Duration,
    ) -> Result<()> {
        if let Some(why) = request {
            self.forced = Some(why);
            self.ending = Some(Ending::begin(&self.family, living, grace)?);
            return Ok(());
        }
        let left = self.ended.is_some_and(|ended| ended.elapsed() >= SETTLE);
        self.is_over = self.ended.is_some() && living.is_empty();
        if left && self.forced.is_none() {
            self.left_behind.extend(living);
        }
        match &self.ending {
            Some(ending) => ending.go_on(&self.family, living)?,
            None if left && !self.is_over => {
                self.ending = Some(Ending::begin(&self.family, living, grace)?);
            }
            None => {}
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_over {
            let living = self.family.living();
            // There is an error already to be told, or a panic; what cannot be killed keeps its locks.
            let _ = self.family.send(&living, Signal::Kill);
        }
        // A killed leader is a zombie a moment later.
        for _ in 0..100 {
            let reaped = self.reaped.is_some() || self.is_over;
            if reaped || !matches!(system::reap(self.family.leader().pid), Ok(None)) {
                break;
            }
            std::thread::sleep(LOOKS[0]);
        }
    }
}
