//! `runner fetch`: published weights, references and samples into the cache, whole and checked.

use crate::cli::cache::{Cache, folder};
use crate::cli::screen::live::PLAIN_EVERY;
use crate::cli::screen::terminal::{bytes, out, say, table};
use crate::cli::watched::at_once;
use crate::experiment::catalogue::{Entry, all, find};
use crate::io::net::download::{self, Event, Outcome, Patience, Wanted};
use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Interrupted downloads resume, and files get their final name only once complete. The sha256 is compared with the
published one; if none is published, that of the first download is recorded in NAME.json beside the file and compared
from then on. In an experiment file, and wherever a path is taken, `fetch:imagenet64` is the fetched file of that name.

Examples:
  runner fetch --list
  runner fetch imagenet64 imagenet64-classifier inception imagenet64-reference

  # On another disk
  runner fetch imagenet512 --cache /data/runner")]
pub struct FetchArgs {
    /// What to fetch: names as in `--list`
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub names: Vec<String>,
    /// Show every name, its size, and what has been fetched
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub cache: Cache,
}

pub fn run(args: &FetchArgs) -> Result<u8> {
    let cache = folder(&args.cache)?;
    if args.list {
        return list(&cache);
    }
    // Every name is looked up before the first byte is asked for.
    let entries: Vec<&Entry> = args.names.iter().map(|n| find(n)).collect::<Result<_>>()?;
    at_once("stopped; what has come is kept\nto resume, run the same command again")?;
    for entry in entries {
        let path = cache.join(entry.file());
        let wanted = Wanted {
            url: entry.url,
            path: &path,
            sha256: entry.sha256,
            bytes: entry.exact.then_some(entry.bytes),
        };
        let mut progress = FetchProgress::new(entry.name);
        let made = download::fetch(&wanted, Patience::default(), &mut |event| {
            progress.on(event)
        });
        progress.close();
        tell(entry, &path, &made?)?;
    }
    Ok(0)
}

/// stdout: the path, for scripts; stderr: what is known of it.
fn tell(entry: &Entry, path: &Path, made: &Outcome) -> Result<()> {
    let (word, record) = match made {
        Outcome::Here(record) => ("is here", record),
        Outcome::Fetched(record) => ("fetched", record),
    };
    let digest = if record.published {
        "as published"
    } else {
        "recorded; none is published"
    };
    say(&format!(
        "{} {word}: {}, sha256 {} ({digest})",
        entry.name,
        bytes(record.bytes),
        record.sha256.get(..16).unwrap_or(&record.sha256)
    ));
    out(&path.display().to_string())
}

fn list(cache: &Path) -> Result<u8> {
    let head = ["name", "size", "here", "sha256", "what"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for entry in all() {
        let path = cache.join(entry.file());
        let part = cache.join(format!("{}.part", entry.file()));
        let so_far = part.metadata().map_or(0, |part| part.len());
        let here = if path.exists() {
            "yes".to_string()
        } else if so_far > 0 {
            format!("{} so far", bytes(so_far))
        } else {
            String::new()
        };
        let about = if entry.exact { "" } else { "about " };
        rows.push(vec![
            entry.name.to_string(),
            format!("{about}{}", bytes(entry.bytes)),
            here,
            entry.sha256.map_or("", |_| "published").to_string(),
            entry.what.to_string(),
        ]);
    }
    out(&table(&rows, &[false, true]))?;
    say(&format!("\ncache: {}", cache.display()));
    Ok(0)
}

/// A bar on a terminal, else a line now and then.
struct FetchProgress {
    name: &'static str,
    bar: Option<ProgressBar>,
    spoke: Instant,
}

impl FetchProgress {
    fn new(name: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = "{msg}  {bar:24}  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
            let bar = ProgressBar::new(0).with_message(name);
            match ProgressStyle::with_template(style) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self {
            name,
            bar,
            spoke: Instant::now(),
        }
    }

    fn on(&mut self, event: Event) {
        match (event, &self.bar) {
            (Event::At(done, total), Some(bar)) => {
                // Bytes of an earlier run must not count as this one's speed.
                if bar.length() != total || bar.position() > done {
                    bar.set_length(total.unwrap_or(done));
                    bar.set_position(done);
                    bar.reset_eta();
                }
                bar.set_position(done);
            }
            (Event::At(done, total), None) => {
                if self.spoke.elapsed() >= PLAIN_EVERY {
                    self.spoke = Instant::now();
                    let of = total.map_or(String::new(), |total| format!(" of {}", bytes(total)));
                    say(&format!("{}: {}{of}", self.name, bytes(done)));
                }
            }
            (Event::Checking, _) => {}
            (Event::Again(why), _) => self.line(&format!("{}: {why}; trying again", self.name)),
            (Event::FromTheStart(why), _) => {
                self.line(&format!("{}: from the start again: {why}", self.name))
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
