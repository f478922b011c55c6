//! A program, run to its end: nothing of it is left when its devices are free again.

use crate::process::group::{self, Member};
use crate::process::orphan::Record;
use crate::process::output::{Line, Output, Tail};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

pub use crate::process::output::Stream;

/// How long a program has to end by itself between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(30);

/// The variable by which every process of a command is known again, whatever group it is in.
pub const MARK: &str = "RUNNER_CALL";

const POLL: Duration = Duration::from_millis(25);
const TICK: Duration = Duration::from_secs(1);

/// What is run, and how.
pub struct Command<'a> {
    /// The program and its arguments; no shell reads them.
    pub argv: &'a [String],
    /// Its working folder.
    pub folder: &'a Path,
    /// All of its environment but [`MARK`].
    pub environment: Vec<(OsString, OsString)>,
    /// Descriptors that all its processes inherit: a lock stays as long as one of them lives.
    pub keep_open: Vec<BorrowedFd<'a>>,
    pub timeout: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Where it is noted down while it runs, for a run that finds this one killed.
    pub record: Option<&'a Path>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal, which was not ours.
    Killed(i32),
    TimedOut,
    /// We were asked to stop.
    Stopped,
}

/// A program that has ended, and all its processes with it.
#[derive(Clone, Debug)]
pub struct Finished {
    pub ended: Ended,
    /// The last 20 lines of both streams, in the order in which they came.
    pub output: Vec<String>,
    pub last_line_of_stdout: Option<String>,
    pub seconds: f64,
    /// Bytes that its largest process had in memory at once.
    pub peak_memory: Option<u64>,
    /// Processes that were still there when the program had ended, and were ended.
    pub left_behind: usize,
}

/// Runs a program to its end. Standard input is empty; `line` gets each line of its output, `tick` is called about once a
/// second, and `stop` ends it.
///
/// Call it from a thread that lives as long as the program may: when that thread ends, as it does when this process is
/// killed, Linux sends the program SIGTERM.
///
/// # Errors
/// A program that cannot be started.
pub fn run(
    command: &Command,
    line: &dyn Fn(Stream, &str),
    tick: &mut dyn FnMut(),
    stop: &AtomicBool,
) -> Result<Finished> {
    let started = Instant::now();
    let mark = mark();
    let mut child = start(command, &mark)?;
    let leader = child.id() as i32;
    let record = command.record.map(|path| Record::write(path, &mark));
    let record = match record.transpose() {
        Ok(record) => record,
        Err(error) => {
            group::end(
                &Member {
                    leader,
                    mark: &mark,
                },
                command.grace,
            );
            let _ = child.wait();
            return Err(error);
        }
    };
    let mut output = Output::of(child.stdout.take(), child.stderr.take());
    let mut tail = Tail::default();
    let mut next_tick = started + TICK;
    let member = Member {
        leader,
        mark: &mark,
    };
    let mut asked: Option<(Ended, Instant)> = None;
    let (status, peak_memory) = loop {
        while let Some(one) = output.next_within(POLL) {
            tell(&mut tail, line, one);
            if Instant::now() >= next_tick {
                break;
            }
        }
        if Instant::now() >= next_tick {
            tick();
            next_tick = Instant::now() + TICK;
        }
        if let Some(ended) = reaped(leader)? {
            break ended;
        }
        let late = command.timeout.is_some_and(|t| started.elapsed() >= t);
        match asked {
            None if stop.load(Ordering::Relaxed) || late => {
                let why = if late {
                    Ended::TimedOut
                } else {
                    Ended::Stopped
                };
                group::signal(&member, libc::SIGTERM);
                asked = Some((why, Instant::now()));
            }
            Some((_, since)) if since.elapsed() >= command.grace => {
                group::signal(&member, libc::SIGKILL);
            }
            _ => {}
        }
    };
    let left_behind = group::end(&member, command.grace);
    while let Some(one) = output.rest() {
        tell(&mut tail, line, one);
    }
    drop(record);
    let ended = match asked {
        Some((why, _)) => why,
        None => match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Exited(code),
            (None, signal) => Ended::Killed(signal.unwrap_or_default()),
        },
    };
    Ok(Finished {
        ended,
        output: tail.lines.into(),
        last_line_of_stdout: tail.last_of_stdout,
        seconds: started.elapsed().as_secs_f64(),
        peak_memory,
        // Those of a program that was ended by us did not outstay their time.
        left_behind: if asked.is_some() { 0 } else { left_behind },
    })
}

fn tell(tail: &mut Tail, line: &dyn Fn(Stream, &str), one: Line) {
    line(one.stream, &one.shown());
    tail.add(one);
}

/// A name that no other call on this machine has.
fn mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{now}-{count}", std::process::id())
}

fn start(command: &Command, mark: &str) -> Result<std::process::Child> {
    let Some((program, arguments)) = command.argv.split_first() else {
        bail!("there is no program to run");
    };
    let keep: Vec<RawFd> = command.keep_open.iter().map(AsRawFd::as_raw_fd).collect();
    let mut child = std::process::Command::new(program);
    child
        .args(arguments)
        .current_dir(command.folder)
        .env_clear()
        .envs(command.environment.iter().map(|(k, v)| (k, v)))
        .env(MARK, mark)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let prepare = move || {
        for fd in &keep {
            // SAFETY: fcntl may be called between fork and exec, and the descriptor is open: the locks outlive the call.
            unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) };
        }
        #[cfg(target_os = "linux")]
        // SAFETY: prctl may be called between fork and exec; it changes this new process alone.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM)
        };
        Ok(())
    };
    // SAFETY: `prepare` takes no lock and no memory, as it must between fork and exec.
    unsafe { child.pre_exec(prepare) };
    child.spawn().map_err(|error| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound if program.contains('/') => {
                "no such file\nhint: a relative path is taken from the working folder".to_string()
            }
            std::io::ErrorKind::NotFound => format!(
                "no such program in PATH ({})\nhint: name it with its whole path, or start `runner` in the environment that has it",
                path.to_string_lossy()
            ),
            std::io::ErrorKind::PermissionDenied => {
                "it may not be executed\nhint: `chmod +x`, or start it with its interpreter, such as \"python\"".to_string()
            }
            _ => error.to_string(),
        };
        anyhow::anyhow!("`{program}`: {hint}")
    })
}

/// How the process ended and the bytes it had at most, once it has.
fn reaped(pid: i32) -> Result<Option<(ExitStatus, Option<u64>)>> {
    let mut status = 0;
    // SAFETY: all zeros are a valid rusage, which the call fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to variables that live here; the process is a child that nobody else waits for.
    let found = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) };
    if found == -1 {
        let error = std::io::Error::last_os_error();
        if error.kind() == std::io::ErrorKind::Interrupted {
            return Ok(None);
        }
        return Err(error).context("waiting for a command");
    }
    // Linux counts kilobytes here, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak = u64::try_from(usage.ru_maxrss).ok().map(|n| n * unit);
    Ok((found == pid).then(|| (ExitStatus::from_raw(status), peak)))
}
