//! What a program was run with: told in the report, and no part of any key.

use crate::experiment::key::hex;
use crate::io::disk::{read_json, write_json};
use crate::jobs::context::JobContext;
use crate::jobs::files::results::{COMMAND, Called, Commanded, Python};
use crate::process::command::{Command, Finished, GRACE, run};
use crate::process::environment;
use crate::stages::external::call::Call;
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// The calls of a job so far, kept beside its result.
pub struct Record {
    path: PathBuf,
    told: Commanded,
}

impl Record {
    /// What earlier runs of the job have noted down.
    ///
    /// # Errors
    /// None yet: a record that cannot be read is begun again.
    pub fn open(context: &JobContext) -> Result<Record> {
        let path = context.out.join(COMMAND);
        Ok(Record {
            told: read_json(&path).unwrap_or_default(),
            path,
        })
    }

    /// Notes down a call that ended well, with what is known of its surroundings.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn add(&mut self, call: &Call, finished: &Finished) -> Result<()> {
        let argv = call.arguments()?;
        self.told.python = argv.first().and_then(|program| python(program));
        self.told.devices = call.context.granted.names();
        (self.told.commit, self.told.diff) = repository();
        self.told.calls.push(Called {
            command: argv,
            seconds: finished.seconds,
            peak_memory: finished.peak_memory,
        });
        write_json(&self.path, &self.told)
    }
}

/// The last line that a short, harmless command prints; none where it fails.
fn answer(argv: &[&str]) -> Option<String> {
    let argv: Vec<String> = argv.iter().map(|text| text.to_string()).collect();
    let command = Command {
        argv: &argv,
        folder: Path::new("."),
        environment: environment::basic(),
        keep_open: Vec::new(),
        timeout: Some(Duration::from_secs(30)),
        grace: GRACE,
        record: None,
    };
    let never = AtomicBool::new(false);
    let finished = run(&command, &|_, _| {}, &mut || {}, &never).ok()?;
    finished.last_line_of_stdout
}

/// Version and packages of the Python that runs a program, asked once a process.
fn python(program: &str) -> Option<Python> {
    static SEEN: OnceLock<Mutex<HashMap<String, Option<Python>>>> = OnceLock::new();
    const ASK: &str = "import sys, importlib.metadata as m\n\
        names = sorted({f\"{d.metadata['Name']}=={d.version}\" for d in m.distributions()})\n\
        print(sys.version.split()[0] + ' ' + ';'.join(names))";
    let name = Path::new(program).file_name()?.to_str()?;
    // Launchers such as torchrun stand beside the Python that they start.
    let interpreter = if name.starts_with("python") {
        program
    } else {
        "python3"
    };
    let mut seen = SEEN.get_or_init(Mutex::default).lock().ok()?;
    let found = seen.entry(interpreter.to_string()).or_insert_with(|| {
        let line = answer(&[interpreter, "-c", ASK])?;
        let (version, packages) = line.split_once(' ')?;
        Some(Python {
            version: version.to_string(),
            packages: hex(&Sha256::digest(packages.as_bytes())),
        })
    });
    found.clone()
}

/// The commit of the working folder and the sha256 of what differs from it; none outside a repository, asked once a process.
fn repository() -> (Option<String>, Option<String>) {
    static FOUND: OnceLock<(Option<String>, Option<String>)> = OnceLock::new();
    let ask = || {
        let Some(commit) = answer(&["git", "rev-parse", "HEAD"]) else {
            return (None, None);
        };
        let diff = std::process::Command::new("git")
            .args(["diff", "HEAD"])
            .output()
            .ok();
        let diff = diff.filter(|out| out.status.success() && !out.stdout.is_empty());
        (
            Some(commit),
            diff.map(|out| hex(&Sha256::digest(&out.stdout))),
        )
    };
    FOUND.get_or_init(ask).clone()
}
