//! One line that says how far a command is: live on a terminal, elsewhere a plain line a minute.

use crate::cli::screen::terminal::say;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two plain lines; nothing is said before the first of them.
pub const PLAIN_EVERY: Duration = Duration::from_secs(60);

/// Shared by the threads that get on with the work.
pub struct Live {
    bar: Option<ProgressBar>,
    spoke: Mutex<Instant>,
}

impl Live {
    pub fn start() -> Live {
        Live {
            bar: std::io::stderr().is_terminal().then(bar),
            spoke: Mutex::new(Instant::now()),
        }
    }

    /// What is true now.
    pub fn set(&self, text: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        } else if let Ok(mut spoke) = self.spoke.lock()
            && spoke.elapsed() >= PLAIN_EVERY
        {
            *spoke = Instant::now();
            say(&text);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A live line of text on a terminal; hidden elsewhere.
pub fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}
