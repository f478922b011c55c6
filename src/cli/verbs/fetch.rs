//! `runner fetch`: published weights, references and samples into the cache, whole and checked.

use crate::cli::args::{Cache, FetchArgs};
use crate::cli::screen::terminal::{bytes, out, say, table};
use crate::experiment::catalogue::{Entry, SCHEME, all, find};
use crate::io::net::download::{self, Event, Outcome, Patience, Wanted};
use crate::run::plan::Plan;
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two lines of progress where nobody watches a bar.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

pub fn run(args: &FetchArgs) -> Result<u8> {
    let cache = folder(&args.cache)?;
    if args.list {
        return list(&cache);
    }
    // Every name is looked up before the first byte is asked for.
    let entries: Vec<&Entry> = args.names.iter().map(|n| find(n)).collect::<Result<_>>()?;
    for entry in entries {
        let path = cache.join(entry.file());
        let wanted = Wanted {
            url: entry.url,
            path: &path,
            sha256: entry.sha256,
            bytes: entry.exact.then_some(entry.bytes),
        };
        let mut teller = Teller::new(entry.name);
        let made = download::fetch(&wanted, Patience::default(), &mut |event| teller.on(event));
        teller.close();
        tell(entry, &path, &made?)?;
    }
    Ok(0)
}

/// Where fetched files are: `--cache`, RUNNER_CACHE, or the user's cache as XDG has it.
pub fn folder(cache: &Cache) -> Result<PathBuf> {
    if let Some(folder) = &cache.cache {
        return Ok(folder.clone());
    }
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // A relative XDG_CACHE_HOME is to be passed over.
    let xdg = named("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || named("HOME").map(|home| Path::new(&home).join(".cache"));
    let folder = xdg.or_else(home).context(
        "there is neither HOME nor XDG_CACHE_HOME to keep fetched files in\nhint: name a folder with --cache or RUNNER_CACHE",
    )?;
    Ok(folder.join("runner"))
}

/// The path that `fetch:NAME` stands for; every other text as it is.
pub fn place(text: &str, cache: &Cache) -> Result<String> {
    let Some(name) = text.strip_prefix(SCHEME) else {
        return Ok(text.to_string());
    };
    let path = folder(cache)?.join(find(name)?.file());
    if !path.exists() {
        refuse_absent(&[name.to_string()])?;
    }
    Ok(path.display().to_string())
}

/// The same of a path.
pub fn place_path(path: &Path, cache: &Cache) -> Result<PathBuf> {
    match path.to_str() {
        Some(text) => Ok(place(text, cache)?.into()),
        None => Ok(path.to_path_buf()),
    }
}

/// stdout: the path, for scripts; stderr: what is known of it.
fn tell(entry: &Entry, path: &Path, made: &Outcome) -> Result<()> {
    let (word, record) = match made {
        Outcome::Here(record) => ("is here", record),
        Outcome::Fetched(record) => ("fetched", record),
    };
    let digest = match record.published {
        true => "as published",
        false => "recorded; none is published",
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
        let here = match (path.exists(), part.metadata()) {
            (true, _) => "yes".to_string(),
            (false, Ok(part)) if part.len() > 0 => format!("{} so far", bytes(part.len())),
            _ => String::new(),
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
struct Teller {
    name: &'static str,
    bar: Option<ProgressBar>,
    spoke: Instant,
}

impl Teller {
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
                // What was there before is no speed.
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

/// `runner fetch imagenet64 inception`, for what a plan reads and does not find.
pub fn command(names: &[String]) -> String {
    format!("runner fetch {}", names.join(" "))
}

/// A plan cannot be carried out before all that it reads is there.
pub fn refuse_incomplete(plan: &Plan) -> Result<()> {
    if let Some(data) = plan.absent_data().first() {
        bail!(
            "train.data = \"{data}\" cannot be read: no such file or folder\nhint: name a folder with one folder a class, or an archive: --set train.data=PATH"
        );
    }
    refuse_absent(&plan.absent())
}

/// What cannot be done before these are in the cache.
fn refuse_absent(names: &[String]) -> Result<()> {
    ensure!(
        names.is_empty(),
        "not in the cache: {}\nhint: {}",
        names.join(", "),
        command(names)
    );
    Ok(())
}
