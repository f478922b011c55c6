//! Long commands under Ctrl-C, SIGTERM, a closed terminal, and what else may end a worker: asked once they stop where nothing is lost, asked twice at
//! once, which loses no more than the part at hand.

use crate::cli::screen::terminal::say;
use crate::jobs::context::Stopped;
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The exit status of an interrupted command: 128 + SIGINT, as shells count it.
pub const INTERRUPTED: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

/// What else stops a worker, besides what [`until_stopped`] watches.
pub struct Ends {
    /// After this time.
    pub time: Option<Duration>,
    /// When standard input ends.
    pub with_parent: bool,
}

/// Also stops at the end of a worker's time, with the process that started it, and at SIGUSR2, which schedulers are often
/// told to send some time before they kill.
///
/// # Errors
/// Where the system takes no handler.
pub fn also_stopped_by(ends: &Ends) -> Result<()> {
    stop_at_usr2()?;
    if let Some(time) = ends.time {
        std::thread::spawn(move || {
            std::thread::sleep(time);
            STOP.store(true, Ordering::Relaxed);
        });
    }
    if ends.with_parent {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            STOP.store(true, Ordering::Relaxed);
        });
    }
    Ok(())
}

#[cfg(unix)]
fn stop_at_usr2() -> Result<()> {
    use signal_hook::consts::SIGUSR2;
    use signal_hook::iterator::Signals;
    let mut signals = Signals::new([SIGUSR2]).context("watching for SIGUSR2")?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            STOP.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn stop_at_usr2() -> Result<()> {
    Ok(())
}

/// Watches from now on; the flag is set when the first request to stop comes. `after` says where the command then ends,
/// such as `part`. A process watches once.
pub fn until_stopped(after: &'static str) -> Result<&'static AtomicBool> {
    let handler = move || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        say(&format!(
            "\nstopping after the current {after}; press again to stop now"
        ));
    };
    ctrlc::set_handler(handler).context("watching for Ctrl-C")?;
    Ok(&STOP)
}

/// For commands that lose nothing wherever they end: the first request ends them, with `text`.
pub fn at_once(text: &'static str) -> Result<()> {
    let handler = move || {
        say(&format!("\n{text}"));
        std::process::exit(INTERRUPTED.into());
    };
    ctrlc::set_handler(handler).context("watching for Ctrl-C")
}

/// What was made; None where it was stopped, which is said with `kept`.
pub fn unless_stopped<T>(made: Result<T>, kept: &str) -> Result<Option<T>> {
    match made {
        Err(error) if error.is::<Stopped>() => {
            say(&format!(
                "stopped; {kept}\nto resume, run the same command again"
            ));
            Ok(None)
        }
        made => made.map(Some),
    }
}
