//! Any system but Unix: commands are refused before anything is started, so that none of these calls is reached.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Error, ErrorKind, Read};
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command};
use std::time::Duration;

pub const CAN_RUN: bool = false;

pub type Mark = (u64, u64);

#[derive(Clone, Copy)]
pub struct Own {
    pub pid: i32,
    pub group: i32,
    pub session: i32,
}

#[derive(Clone, Copy, Debug)]
pub struct Reaped {
    pub end: Result<i32, i32>,
    pub peak_memory: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Probe,
    Terminate,
    Kill,
}

pub struct Adoption(());

impl Adoption {
    pub fn start() -> Adoption {
        Adoption(())
    }
}

pub trait Pipe: Read + Send {
    fn wait(&self, at_most: Duration) -> io::Result<bool>;
    fn mark(&self) -> Option<Mark>;
}

impl Pipe for ChildStdout {
    fn wait(&self, _at_most: Duration) -> io::Result<bool> {
        Ok(true)
    }

    fn mark(&self) -> Option<Mark> {
        None
    }
}

impl Pipe for ChildStderr {
    fn wait(&self, _at_most: Duration) -> io::Result<bool> {
        Ok(true)
    }

    fn mark(&self) -> Option<Mark> {
        None
    }
}

pub fn own() -> Own {
    Own {
        pid: -1,
        group: -1,
        session: -1,
    }
}

/// The folders of temporary files are the user's own here, so that no number tells users apart.
pub fn user() -> u32 {
    0
}

pub fn prepare(_command: &mut Command, _keep_open: &[&File]) {}

pub fn has_ended(_child: i32) -> io::Result<bool> {
    Err(ErrorKind::Unsupported.into())
}

pub fn reap(_child: i32) -> io::Result<Option<Reaped>> {
    Err(ErrorKind::Unsupported.into())
}

pub fn send(_to: i32, _signal: Signal) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

pub fn is_gone(_error: &Error) -> bool {
    false
}

pub fn mark(_file: &File) -> Option<Mark> {
    None
}

pub fn holds(_pid: i32, _marks: &[Mark]) -> bool {
    false
}

pub fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

pub fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

pub fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}
