//! Long commands under Ctrl-C, SIGTERM and a closed terminal: asked once they stop where nothing is lost, asked twice at
//! once, which loses no more than the part at hand.

use crate::cli::screen::terminal::say;
use crate::jobs::context::Stopped;
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of an interrupted command: 128 + SIGINT, as shells count it.
pub const INTERRUPTED: u8 = 130;

/// Watches from now on; the flag is set when the first request to stop comes. `after` says where the command then ends,
/// such as `part`. A process watches once.
pub fn until_stopped(after: &'static str) -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
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
