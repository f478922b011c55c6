//! `--device cuda:0,cuda:1` of commands that describe images: the same command runs once more for each further device, and
//! the processes divide the parts among them.

use crate::cli::profile::session;
use crate::cli::screen::terminal::warning;
use crate::cli::watched::{Ends, also_stopped_by};
use crate::run::device::named::devices;
use crate::stages::describe::images::Share;
use anyhow::{Context, Result};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// The hidden flag by which a process knows that it is one of the others, and its device.
const FLAG: &str = "--beside";

/// The device of this process, and those of the others.
pub struct Beside {
    device: String,
    others: Vec<String>,
    is_other: bool,
}

impl Beside {
    /// `list` is `--device`, `own` the device of a process that was started beside another.
    ///
    /// # Errors
    /// A name that is no device.
    pub fn of(list: Option<&str>, own: Option<&str>) -> Result<Beside> {
        if let Some(own) = own {
            also_stopped_by(&Ends {
                time: None,
                with_parent: true,
            })?;
            return Ok(Beside {
                device: own.to_string(),
                others: Vec::new(),
                is_other: true,
            });
        }
        // Without a list the first device is taken, as these commands always did: another job may be on the next.
        let mut names = devices(list)?.into_iter().map(|device| device.name);
        Ok(Beside {
            device: names.next().context("there is no device")?,
            others: names.filter(|_| list.is_some()).collect(),
            is_other: false,
        })
    }

    pub fn device(&self) -> &str {
        &self.device
    }

    /// Whether this process only describes parts for another one.
    pub fn is_other(&self) -> bool {
        self.is_other
    }

    pub fn share(&self) -> Share {
        if self.is_other {
            Share::Free
        } else {
            Share::Whole
        }
    }

    /// Starts this command for the other devices. They end with what this returns, if not before.
    ///
    /// # Errors
    /// Where a process cannot be started.
    pub fn start(&self) -> Result<Others> {
        let start = |(place, device): (usize, &String)| {
            let mut child = Command::new(std::env::current_exe()?)
                .args(
                    std::env::args_os()
                        .skip(1)
                        .filter(|arg| !session::is_flag(arg)),
                )
                .args(session::for_worker(device, place))
                .args([FLAG, device])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?;
            let errors = child.stderr.take();
            let words = std::thread::spawn(move || {
                let mut text = String::new();
                let _ = errors.map(|mut errors| errors.read_to_string(&mut text));
                text
            });
            Ok::<_, std::io::Error>(Other {
                device: device.clone(),
                child,
                words: Some(words),
            })
        };
        let started = self.others.iter().enumerate().map(start);
        let started = started.collect::<Result<Vec<_>, _>>();
        Ok(Others(
            started.context("starting a process for a further device")?,
        ))
    }
}

/// The processes of the other devices.
pub struct Others(Vec<Other>);

struct Other {
    device: String,
    child: Child,
    words: Option<JoinHandle<String>>,
}

impl Drop for Others {
    fn drop(&mut self) {
        for other in &mut self.0 {
            // Their standard input ends with it.
            drop(other.child.stdin.take());
            let ended = other.child.wait();
            let words = other.words.take().and_then(|words| words.join().ok());
            let well = ended.is_ok_and(|status| matches!(status.code(), Some(0 | 130)));
            if !well {
                let words = words.unwrap_or_default();
                let last = words.lines().last().unwrap_or_default();
                warning(&format!(
                    "the process on {} failed, its parts were made here: {last}",
                    other.device
                ));
            }
        }
    }
}
