//! One call of a program: its arguments and environment filled, its output kept, its failure told.

use crate::experiment::grid::template::{fill, names};
use crate::io::disk::is_unwritable;
use crate::jobs::context::{JobContext, Stopped};
use crate::jobs::external::program::PlannedProgram;
use crate::machine::profile::{Operation, span};
use crate::process::command::{Command, Ended, Finished, GRACE, Stream, run};
use crate::process::environment;
use crate::process::gpus;
use crate::process::orphan::{self, Former};
use anyhow::{Context, Error, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// Where the running group of processes is noted down, for a next run that finds this one killed.
const RUNNING: &str = ".running.json";
/// The folder of the store that programs share as `{cache}`.
const CACHE: &str = "cache";

/// A program about to be called.
pub struct Call<'a> {
    /// `sample.command`, as messages name it.
    pub key: &'a str,
    pub program: &'a PlannedProgram,
    pub context: &'a JobContext<'a>,
    values: BTreeMap<&'static str, String>,
}

impl<'a> Call<'a> {
    /// A call with the values that every program may use: `devices`, `port`, `cell`, `cache`, `config`. What is left of a
    /// call whose run was killed is ended first, so that it writes to no folder of this one.
    ///
    /// # Errors
    /// Where the folder or the file that they name cannot be made, or an earlier call cannot be ended.
    pub fn new(
        key: &'a str,
        program: &'a PlannedProgram,
        context: &'a JobContext<'a>,
    ) -> Result<Self> {
        let mut call = Call {
            key,
            program,
            context,
            values: BTreeMap::new(),
        };
        call.end_earlier()?;
        let cards = context.granted.cards().join(",");
        let devices = if cards.is_empty() {
            "cpu".to_string()
        } else {
            cards
        };
        call.set("devices", devices);
        call.set("cell", program.cell.to_string());
        if call.uses("port") {
            let free = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
            call.set("port", free.local_addr()?.port().to_string());
        }
        if call.uses("cache") {
            let folder = context.store.join(CACHE);
            fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
            call.set("cache", absolute(&folder)?);
        }
        if let Some(config) = &program.config {
            let path = context.out.join("config.json");
            fs::write(&path, config).with_context(|| format!("writing {}", path.display()))?;
            call.set("config", absolute(&path)?);
        }
        Ok(call)
    }

    pub fn set(&mut self, name: &'static str, value: String) {
        self.values.insert(name, value);
    }

    /// Whether an argument or a variable asks for it.
    pub fn uses(&self, name: &str) -> bool {
        let texts = self.program.command.iter().chain(self.program.env.values());
        let mut names = texts.flat_map(|text| names(text).unwrap_or_default());
        names.any(|known| known == name)
    }

    fn filled(&self, text: &str) -> Result<String> {
        let value = |name: &str| {
            let value = self.values.get(name).cloned();
            value.with_context(|| format!("{}: {{{name}}} has no value here", self.key))
        };
        fill(text, &mut { value })
    }

    /// The arguments as the program gets them; one that names an input is where that was found.
    ///
    /// # Errors
    /// A name without a value.
    pub fn arguments(&self) -> Result<Vec<String>> {
        let argument = |text: &String| {
            let text = self.filled(text)?;
            let input = self.program.inputs.iter().find(|input| input.name == text);
            Ok(input.map_or(text, |input| input.file.path.display().to_string()))
        };
        self.program.command.iter().map(argument).collect()
    }

    fn environment(&self) -> Result<Vec<(OsString, OsString)>> {
        let mut all = environment::basic();
        // Python keeps the lines of a pipe back otherwise: they would come late, and after the error that they led to.
        all.push(("PYTHONUNBUFFERED".into(), "1".into()));
        all.extend(environment::named(&self.program.pass));
        for (name, text) in &self.program.env {
            all.push((name.into(), self.filled(text)?.into()));
        }
        all.extend(gpus::environment_of(&self.context.granted.cards()));
        Ok(all)
    }

    /// Ends what is left of a call whose run was killed.
    fn end_earlier(&self) -> Result<()> {
        let (context, key) = (self.context, self.key);
        match orphan::end_recorded(&context.out.join(RUNNING), GRACE)? {
            Former::Nothing => {}
            Former::Ended(n) => context.warn(&format!(
                "{n} processes of an earlier, killed run of {key} were still there; they were ended"
            )),
            Former::Elsewhere { host } => context.warn(&format!(
                "an earlier run of {key} on {host} may still be there: its processes cannot be seen from here"
            )),
        }
        Ok(())
    }

    /// Runs it once to its end; `tick` is called about once a second.
    ///
    /// # Errors
    /// [`Stopped`], or how it failed, with the end of its output.
    pub fn run(&self, tick: &mut dyn FnMut()) -> Result<Finished> {
        let (context, program) = (self.context, self.program);
        let note = context.out.join(RUNNING);
        let argv = self.arguments()?;
        context.log(&format!("runs {}", shown(&argv)));
        let command = Command {
            argv: &argv,
            folder: Path::new("."),
            environment: self.environment()?,
            keep_open: context.granted.files(),
            timeout: program.timeout,
            grace: GRACE,
            record: Some(&note),
        };
        let line = |stream: Stream, text: &str| {
            let mark = match stream {
                Stream::Stdout => "|",
                Stream::Stderr => "!",
            };
            context.log(&format!("{mark} {text}"));
        };
        let finished = {
            let _span = span(Operation::WaitProgram);
            run(&command, &line, tick, context.stop())
                .with_context(|| format!("{} cannot be run", self.key))?
        };
        if finished.left_behind > 0 {
            context.warn(&format!(
                "{} left {} of its processes running when it ended; they were ended too",
                self.key, finished.left_behind
            ));
        }
        match finished.ended {
            Ended::Exited(0) => Ok(finished),
            Ended::Stopped => Err(Stopped.into()),
            _ => Err(self.failure(&finished)),
        }
    }

    fn failure(&self, finished: &Finished) -> Error {
        let how = match finished.ended {
            Ended::Exited(code) => format!("ended with exit code {code}"),
            Ended::Killed(signal) => format!("was killed by signal {signal}"),
            Ended::TimedOut => format!(
                "was still running after its timeout of {} s, and was ended",
                self.program.timeout.unwrap_or_default().as_secs_f64()
            ),
            Ended::Stopped => "was stopped".to_string(),
        };
        let tail: String = finished
            .output
            .iter()
            .map(|line| format!("\n  | {line}"))
            .collect();
        let last = if tail.is_empty() {
            "; it printed nothing".to_string()
        } else {
            format!("; the end of its output:{tail}")
        };
        let log = self.context.out.join("log.txt");
        let (key, seconds) = (self.key, finished.seconds);
        anyhow!(
            "{key} {how} ({seconds:.1} s){last}\nhint: {} has the whole output",
            log.display()
        )
    }
}

/// Tries `attempt` as often as the program's `retries` allow. Being stopped is no failure, and a full disk stays full.
///
/// # Errors
/// Of the last try.
pub fn tried<T>(
    program: &PlannedProgram,
    context: &JobContext,
    attempt: &mut dyn FnMut() -> Result<T>,
) -> Result<T> {
    let tries = program.retries + 1;
    for n in 1..tries {
        match attempt() {
            Err(error) if !error.is::<Stopped>() && !is_unwritable(&error) => {
                context.warn(&format!(
                    "try {n} of {tries} failed: {}",
                    first_line(&error)
                ));
                context.log(&format!("try {n} of {tries}: {error:#}"));
            }
            ended => return ended,
        }
    }
    match attempt() {
        Err(error) if tries > 1 && !error.is::<Stopped>() => {
            Err(error.context(format!("try {tries} of {tries}")))
        }
        ended => ended,
    }
}

fn first_line(error: &Error) -> String {
    let text = format!("{error:#}");
    text.lines().next().unwrap_or_default().to_string()
}

/// Arguments as a person would type them.
pub fn shown(argv: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    let one = |text: &String| {
        if !text.is_empty() && text.chars().all(plain) {
            text.clone()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    argv.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The whole path, for a program that may change its folder.
///
/// # Errors
/// A path that is not UTF-8, which no argument can hold.
pub fn absolute(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)?;
    match path.to_str() {
        Some(text) => Ok(text.to_string()),
        None => bail!(
            "{} is not UTF-8, so no command can be given it",
            path.display()
        ),
    }
}

/// An empty folder of this name in the job's own.
///
/// # Errors
/// Where an earlier one cannot be removed or a new one be made.
pub fn fresh(context: &JobContext, name: &str) -> Result<PathBuf> {
    let folder = context.out.join(name);
    remove(&folder)?;
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// Removes a folder with all in it, if it is there.
///
/// # Errors
/// Where it cannot be removed.
pub fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}
