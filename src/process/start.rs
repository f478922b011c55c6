//! Starts a command, or says why it cannot be started.

use super::system;
use anyhow::{Context, Error, Result, anyhow, ensure};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Starts `argv` in `folder` with this environment and no other, nothing to read, its output to be read here, as the leader
/// of a group of its own that inherits `keep_open`.
pub(super) fn start(
    argv: &[String],
    folder: &Path,
    environment: &[(OsString, OsString)],
    keep_open: &[&File],
) -> Result<Child> {
    ensure!(
        system::CAN_RUN,
        "commands are run on Linux and other Unix systems alone\nhint: run it yourself, and name the images that it made with `from`"
    );
    let (program, rest) = argv.split_first().context(
        "the command names no program\nhint: write the program first, such as [\"python\", \"sample.py\"]",
    )?;
    ensure!(
        folder.is_dir(),
        "`{program}` is to run in {}, which is not a folder",
        folder.display()
    );
    let mut command = Command::new(program);
    command
        .args(rest)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    system::prepare(&mut command, keep_open);
    command
        .spawn()
        .map_err(|error| explain(error, program, folder, environment))
}

fn explain(
    error: std::io::Error,
    program: &str,
    folder: &Path,
    environment: &[(OsString, OsString)],
) -> Error {
    if ![ErrorKind::NotFound, ErrorKind::PermissionDenied].contains(&error.kind()) {
        return Error::new(error).context(format!("starting `{program}`"));
    }
    if program.contains('/') {
        let path = folder.join(program);
        if path.exists() {
            return unusable(program, &path, error.kind());
        }
        return anyhow!(
            "there is no program {}\nhint: a path with a `/` is taken from the folder in which the command runs",
            path.display()
        );
    }
    let searched = environment.iter().rev().find(|(name, _)| name == "PATH");
    let Some((_, searched)) = searched else {
        return anyhow!(
            "there is no program `{program}`: the command has no PATH to search\nhint: name the program by its whole path"
        );
    };
    match find(program, folder, searched) {
        Some(path) => unusable(program, &path, error.kind()),
        None => anyhow!(
            "there is no program `{program}` in PATH ({})\nhint: activate the environment that holds it, or name it by its whole path",
            searched.display()
        ),
    }
}

fn find(program: &str, folder: &Path, searched: &OsStr) -> Option<PathBuf> {
    let places = std::env::split_paths(searched).map(|place| folder.join(place).join(program));
    places.into_iter().find(|path| path.is_file())
}

/// What is wrong with a program that is there and does not start.
fn unusable(program: &str, path: &Path, kind: ErrorKind) -> Error {
    let path = path.display();
    if kind == ErrorKind::NotFound {
        return anyhow!(
            "`{program}` is {path}, and the interpreter that its first line names is not there\nhint: name the interpreter first, such as [\"python\", \"{program}\"]"
        );
    }
    anyhow!(
        "`{program}` is {path}, which may not be executed\nhint: name its interpreter first, such as [\"python\", \"{program}\"], or make it executable: chmod +x {path}"
    )
}
