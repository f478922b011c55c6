//! A shell's line as a command, and what came of it.

use fidrunner::process::command::{Command, Finished, Stream, run};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Long enough for a busy machine, and shorter than any program here would take by itself.
pub const SOON: Duration = Duration::from_secs(8);

pub struct Call<'a> {
    argv: Vec<String>,
    pub timeout: Option<Duration>,
    pub grace: Duration,
    pub keep_open: Vec<&'a File>,
    pub record: Option<&'a Path>,
    pub environment: Vec<(OsString, OsString)>,
    pub folder: PathBuf,
}

pub struct Answer {
    pub finished: Finished,
    pub lines: Vec<(Stream, String)>,
    pub ticks: usize,
}

impl<'a> Call<'a> {
    pub fn of<A: Into<String>>(argv: impl IntoIterator<Item = A>) -> Call<'a> {
        Call {
            argv: argv.into_iter().map(Into::into).collect(),
            timeout: None,
            grace: SOON,
            keep_open: Vec::new(),
            record: None,
            environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
            folder: std::env::temp_dir(),
        }
    }

    pub fn shell(script: &str) -> Call<'a> {
        Call::of(["/bin/sh", "-c", script])
    }

    /// Runs it, and ends it at the line that `stop` says yes to.
    pub fn run_until(self, stop: impl Fn(&str) -> bool + Sync) -> anyhow::Result<Answer> {
        let command = Command {
            argv: &self.argv,
            folder: &self.folder,
            environment: self.environment,
            keep_open: self.keep_open,
            timeout: self.timeout,
            grace: self.grace,
            record: self.record,
        };
        let (lines, stopped) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let line = |stream, line: &str| {
            lines.lock().unwrap().push((stream, line.to_string()));
            if stop(line) {
                stopped.store(true, std::sync::atomic::Ordering::Release);
            }
        };
        let mut ticks = 0;
        let finished = run(&command, &line, &mut || ticks += 1, &stopped)?;
        Ok(Answer {
            finished,
            lines: lines.into_inner().unwrap(),
            ticks,
        })
    }

    pub fn run(self) -> Answer {
        self.run_until(|_| false).unwrap()
    }

    pub fn error(self) -> String {
        match self.run_until(|_| false) {
            Ok(answer) => panic!("{:?}", answer.finished),
            Err(error) => format!("{error:#}"),
        }
    }
}

impl Answer {
    pub fn of_stream(&self, stream: Stream) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(from, _)| *from == stream);
        lines.map(|(_, line)| line.as_str()).collect()
    }

    /// The number that a line `NAME NUMBER` of stdout tells.
    pub fn number(&self, name: &str) -> u32 {
        let mut lines = self.of_stream(Stream::Stdout).into_iter();
        let found = lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.lines))
    }
}

/// Whether a process lives; a zombie does not.
pub fn lives(pid: u32) -> bool {
    fidrunner::process::table::born(pid).is_some()
}

/// Waits for something that has to happen soon.
#[track_caller]
pub fn eventually(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < SOON, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}
