//! Unix: process groups, signals, what a child inherits, and files that are the user's alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Error, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command};
use std::sync::Mutex;
use std::time::Duration;

/// Whether commands can be run here.
pub const CAN_RUN: bool = true;

/// What tells an open file or pipe from every other: its device and its inode.
pub type Mark = (u64, u64);

/// The numbers of this process.
#[derive(Clone, Copy)]
pub struct Own {
    pub pid: i32,
    pub group: i32,
    pub session: i32,
}

pub fn own() -> Own {
    // SAFETY: three calls that touch no memory; 0 is this process, which they cannot fail for.
    unsafe {
        Own {
            pid: libc::getpid(),
            group: libc::getpgrp(),
            session: libc::getsid(0),
        }
    }
}

/// The user as whom this program acts.
pub fn user() -> u32 {
    // SAFETY: it touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

/// Makes the command the leader of a group of its own, which inherits `keep_open` and, on Linux, gets SIGTERM when the
/// calling thread ends: it must be the thread that waits for the command.
pub fn prepare(command: &mut Command, keep_open: &[&File]) {
    let files: Vec<RawFd> = keep_open.iter().map(|file| file.as_raw_fd()).collect();
    let parent = own().pid;
    command.process_group(0);
    // SAFETY: between fork and exec the closure makes system calls alone: it takes no memory and no lock. The files are
    // borrowed until the command has been started.
    unsafe {
        command.pre_exec(move || {
            for &file in &files {
                if libc::fcntl(file, libc::F_SETFD, 0) == -1 {
                    return Err(Error::last_os_error());
                }
            }
            end_with_parent(parent)
        });
    }
}

/// Asks the kernel for SIGTERM when the parent is gone, and looks whether it is gone already.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_with_parent(parent: i32) -> io::Result<()> {
    // SAFETY: calls on this process that touch no memory.
    let (asked, now) = unsafe {
        let asked = libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong);
        (asked, libc::getppid())
    };
    if asked == -1 {
        return Err(Error::last_os_error());
    }
    if now != parent {
        return Err(ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn end_with_parent(_parent: i32) -> io::Result<()> {
    Ok(())
}

/// While one of these lives, processes below this one whose parents are gone become its children (Linux).
pub struct Adoption(());

static ADOPTIONS: Mutex<usize> = Mutex::new(0);

impl Adoption {
    pub fn start() -> Adoption {
        let mut count = ADOPTIONS
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        *count += 1;
        adopt_orphans(1);
        Adoption(())
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        let mut count = ADOPTIONS
            .lock()
            .unwrap_or_else(|broken| broken.into_inner());
        *count -= 1;
        if *count == 0 {
            adopt_orphans(0);
        }
    }
}

/// Where the kernel knows no such thing, orphans go to init, and are found by their group alone.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn adopt_orphans(on: libc::c_ulong) {
    // SAFETY: it sets an attribute of this process and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, on) };
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn adopt_orphans(_on: libc::c_ulong) {}

/// Whether a child has ended; it stays a zombie, so that its number and its group's are nobody else's.
pub fn has_ended(child: i32) -> io::Result<bool> {
    // SAFETY: siginfo_t is plain bits, which the call fills, and it is told to wait for nothing.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        match libc::waitid(libc::P_PID, child as libc::id_t, &mut info, options) {
            0 => Ok(info.si_pid() == child),
            _ => Err(Error::last_os_error()),
        }
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Reaped {
    /// The exit code, or the signal that killed it.
    pub end: Result<i32, i32>,
    /// Bytes: the most that it, or any process that it waited for, had in memory.
    pub peak_memory: u64,
}

/// Takes the end of a child, if it has ended.
pub fn reap(child: i32) -> io::Result<Option<Reaped>> {
    // SAFETY: rusage is plain bits, which the call fills with the status, and it is told to wait for nothing.
    let (found, status, usage) = unsafe {
        let (mut status, mut usage) = (0, std::mem::zeroed::<libc::rusage>());
        let found = libc::wait4(child, &mut status, libc::WNOHANG, &mut usage);
        (found, status, usage)
    };
    match found {
        -1 => Err(Error::last_os_error()),
        0 => Ok(None),
        _ => Ok(Some(Reaped {
            end: if libc::WIFEXITED(status) {
                Ok(libc::WEXITSTATUS(status))
            } else {
                Err(libc::WTERMSIG(status))
            },
            peak_memory: usage.ru_maxrss as u64 * MAXRSS_UNIT,
        })),
    }
}

/// What `ru_maxrss` counts in, in bytes.
#[cfg(any(target_os = "macos", target_os = "ios"))]
const MAXRSS_UNIT: u64 = 1;
#[cfg(not(any(target_os = "macos", target_os = "ios")))]
const MAXRSS_UNIT: u64 = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// None: only asks whether there is somebody to send one to.
    Probe,
    Terminate,
    Kill,
}

/// Sends a signal to a process, or to a whole group by its negative number.
pub fn send(to: i32, signal: Signal) -> io::Result<()> {
    let signal = match signal {
        Signal::Probe => 0,
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
    };
    // SAFETY: it touches no memory of this process.
    match unsafe { libc::kill(to, signal) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Whether the error says that there is no such process.
pub fn is_gone(error: &Error) -> bool {
    error.raw_os_error() == Some(libc::ESRCH)
}

/// The reading end of a command's output.
pub trait Pipe: Read + Send {
    /// Waits until there is something to read, or the end, for so long at most.
    fn wait(&self, at_most: Duration) -> io::Result<bool>;
    fn mark(&self) -> Option<Mark>;
}

impl Pipe for ChildStdout {
    fn wait(&self, at_most: Duration) -> io::Result<bool> {
        poll(self.as_raw_fd(), at_most)
    }

    fn mark(&self) -> Option<Mark> {
        mark(self)
    }
}

impl Pipe for ChildStderr {
    fn wait(&self, at_most: Duration) -> io::Result<bool> {
        poll(self.as_raw_fd(), at_most)
    }

    fn mark(&self) -> Option<Mark> {
        mark(self)
    }
}

fn poll(file: RawFd, at_most: Duration) -> io::Result<bool> {
    let mut asked = libc::pollfd {
        fd: file,
        events: libc::POLLIN,
        revents: 0,
    };
    let millis = i32::try_from(at_most.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one pollfd, whose file the caller holds open.
    match unsafe { libc::poll(&mut asked, 1, millis) } {
        -1 => Err(Error::last_os_error()),
        ready => Ok(ready > 0),
    }
}

pub fn mark(file: &impl AsFd) -> Option<Mark> {
    let copy = file.as_fd().try_clone_to_owned().ok()?;
    let meta = File::from(copy).metadata().ok()?;
    Some((meta.dev(), meta.ino()))
}

/// Whether a process has one of these open; false where it may not be looked at.
pub fn holds(pid: i32, marks: &[Mark]) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut open = files.into_iter().flatten().flatten();
    open.any(|file| {
        fs::metadata(file.path()).is_ok_and(|meta| marks.contains(&(meta.dev(), meta.ino())))
    })
}

/// Makes a folder that only this user can enter, or takes one that is so already.
///
/// # Errors
/// Something of that name that is no folder, is a link, or belongs to somebody else.
pub fn private_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(path)?;
    if !meta.is_dir() {
        return Err(Error::other("it is not a folder"));
    }
    if meta.uid() != user() {
        return Err(Error::other("it belongs to another user"));
    }
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Opens a file of this user's to read and write, and makes it if it is not there; a link is refused.
pub fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.uid() != user() {
        return Err(Error::other("it is not a file of this user"));
    }
    Ok(file)
}

/// Whether the open file is still the one of that name.
pub fn is_at(file: &File, path: &Path) -> bool {
    let there = fs::symlink_metadata(path).ok();
    there.is_some_and(|meta| mark(file) == Some((meta.dev(), meta.ino())))
}
