//! Workers of this machine, a process each: started, listened to, started again where one dies.

use crate::cli::open::Choice;
use crate::cli::profile::session;
use crate::cli::screen::terminal::{Paint, paint};
use crate::cli::verbs::work::events::{Line, What};
use crate::cli::verbs::work::places::Place;
use crate::io::disk::write_json;
use crate::jobs::stage::Stage;
use crate::machine::profile::{Operation, span};
use crate::run::local::{Event, Summary};
use crate::run::lock::locked;
use crate::run::plan::Plan;
use crate::run::store::{FAILURE, Failure, State, Store};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How often a job may end a worker before it is a failure of the job.
const MOST_DEATHS: u32 = 2;
/// Lines of a dead worker's own words that are told.
const TAIL: usize = 20;

/// What the workers are to do.
pub struct Order<'a> {
    pub places: &'a [Place],
    pub choice: &'a Choice,
    /// Empty for all.
    pub stages: Vec<Stage>,
    pub waits: bool,
    pub fail_fast: bool,
    pub stop: &'a AtomicBool,
}

/// The workers and what is known of them.
struct Team<'a> {
    plan: &'a Plan,
    store: &'a Store,
    order: &'a Order<'a>,
    items: HashMap<&'a str, usize>,
    /// How often each item ended a worker.
    deaths: Mutex<HashMap<usize, u32>>,
    /// What keeps each worker at work, until it is closed.
    ties: Mutex<Vec<Option<ChildStdin>>>,
    halt: AtomicBool,
    running: AtomicUsize,
    tell: &'a (dyn Fn(Event) + Sync),
    say: &'a (dyn Fn(&str) + Sync),
}

/// Runs what of `plan` is not stored, on every place of `order`; `say` hears of workers that die.
///
/// # Errors
/// Where no worker can be started.
pub fn run(
    plan: &Plan,
    store: &Store,
    order: &Order,
    tell: &(dyn Fn(Event) + Sync),
    say: &(dyn Fn(&str) + Sync),
) -> Result<Summary> {
    let keys = plan.items.iter().enumerate();
    let team = Team {
        plan,
        store,
        order,
        items: keys.map(|(n, item)| (item.key.full(), n)).collect(),
        deaths: Mutex::default(),
        ties: Mutex::new(order.places.iter().map(|_| None).collect()),
        halt: AtomicBool::new(false),
        running: AtomicUsize::new(order.places.len()),
        tell,
        say,
    };
    let served: Vec<Result<()>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..order.places.len())
            .map(|n| {
                let team = &team;
                scope.spawn(move || {
                    let served = team.serve(n);
                    team.running.fetch_sub(1, Ordering::Relaxed);
                    served
                })
            })
            .collect();
        let _span = span(Operation::WaitProcesses);
        team.watch();
        workers.into_iter().filter_map(|w| w.join().ok()).collect()
    });
    served.into_iter().collect::<Result<Vec<()>>>()?;
    let mut summary = Summary {
        stopped: order.stop.load(Ordering::Relaxed),
        ..Summary::default()
    };
    for (n, item) in plan.items.iter().enumerate() {
        match store.state(item.job.stage(), &item.key, &item.job.wanted()) {
            State::Stored(_) => summary.done += usize::from(!item.state.stored()),
            State::Failed(_) => summary.failed.push(n),
            _ => summary.left.push(n),
        }
    }
    Ok(summary)
}

/// How a worker process ended.
enum End {
    /// Nothing was left for it, or it was asked to stop.
    Over,
    Died(ExitStatus, Vec<String>),
}

impl Team<'_> {
    /// Lets the workers go on until they are asked to stop.
    fn watch(&self) {
        while self.running.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(50));
            if self.stopping() {
                locked(&self.ties).iter_mut().for_each(|tie| *tie = None);
            }
        }
    }

    fn stopping(&self) -> bool {
        self.halt.load(Ordering::Relaxed) || self.order.stop.load(Ordering::Relaxed)
    }

    /// One place's life: a worker, and another where it dies.
    fn serve(&self, n: usize) -> Result<()> {
        let place = &self.order.places[n];
        while !self.stopping() {
            let mut at = None;
            let child = self
                .start(n)
                .with_context(|| format!("starting a worker on {}", place.name))?;
            let end = self.follow(child, place, &mut at)?;
            let End::Died(status, tail) = end else { break };
            if self.stopping() {
                break;
            }
            (self.say)(&died(place, status, &tail));
            let Some(item) = at else {
                // It did not get as far as a job: another would not either.
                anyhow::bail!(
                    "the worker on {} ended before it began: {}",
                    place.name,
                    tail.join("\n")
                );
            };
            self.note_death(item, place, status)?;
        }
        Ok(())
    }

    fn start(&self, n: usize) -> Result<Child> {
        let (order, place) = (self.order, &self.order.places[n]);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--store").arg(self.store.root());
        command.arg("work").arg(&order.choice.file);
        command.args(["--json", "--with-parent", "--device", &place.device]);
        if let Some((n, of)) = place.share {
            command.args(["--core-share", &format!("{n}/{of}")]);
        }
        for value in &order.choice.set {
            command.args(["--set", value]);
        }
        for value in &order.choice.only {
            command.args(["--only", value]);
        }
        if let Some(cache) = &order.choice.cache.cache {
            command.arg("--cache").arg(cache);
        }
        if !order.stages.is_empty() {
            let names: Vec<&str> = order.stages.iter().map(|stage| stage.name()).collect();
            command.args(["--stages", &names.join(",")]);
        }
        if order.waits {
            command.arg("--wait");
        }
        command.args(session::for_worker(&place.name, n));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        locked(&self.ties)[n] = child.stdin.take();
        Ok(child)
    }

    /// Tells what a worker does until it ends; `at` is the job that it was at.
    fn follow(&self, mut child: Child, place: &Place, at: &mut Option<usize>) -> Result<End> {
        let errors = child.stderr.take();
        let listening = std::thread::spawn(move || errors.map_or_else(Vec::new, last_lines));
        if let Some(out) = child.stdout.take() {
            for line in BufReader::new(out).lines() {
                let Ok(line) = line else { break };
                let Ok(line) = serde_json::from_str::<Line>(&line) else {
                    continue;
                };
                self.hear(&line, place, at);
            }
        }
        let status = child.wait().context("waiting for a worker")?;
        let tail = listening.join().unwrap_or_default();
        Ok(match status.code() {
            Some(0 | 1 | 130) => End::Over,
            _ => End::Died(status, tail),
        })
    }

    fn hear(&self, line: &Line, place: &Place, at: &mut Option<usize>) {
        let Some(&item) = self.items.get(line.key.as_str()) else {
            return;
        };
        match line.what {
            What::Started | What::Progress { .. } => *at = Some(item),
            What::Done { .. } | What::Held => *at = None,
            What::Failed { .. } if self.order.fail_fast => {
                self.halt.store(true, Ordering::Relaxed);
            }
            // Whoever made it tells that it is done; each worker skips for itself.
            What::There | What::Skipped => return,
            _ => {}
        }
        line.tell(self.plan, item, &place.name, self.tell);
    }

    /// A job that ends one worker after the other is failed, so that the others leave it alone.
    fn note_death(&self, item: usize, place: &Place, status: ExitStatus) -> Result<()> {
        let deaths = {
            let mut deaths = locked(&self.deaths);
            let deaths = deaths.entry(item).or_default();
            *deaths += 1;
            *deaths
        };
        if deaths < MOST_DEATHS {
            return Ok(());
        }
        let of = &self.plan.items[item];
        let mut error = format!("{deaths} workers died at it, the last one {}", why(status));
        if let Some(hint) = hint(status) {
            error += &format!("\nhint: {hint}");
        }
        let failure = Failure::now(error, &place.name, 0.0);
        let folder = self.store.entry(of.job.stage(), &of.key)?;
        write_json(&folder.join(FAILURE), &failure)
    }
}

fn died(place: &Place, status: ExitStatus, tail: &[String]) -> String {
    let mut text = format!(
        "  the worker on {} died ({}); the part that it was at is made again",
        place.name,
        why(status)
    );
    for line in tail {
        text += &format!("\n          {line}");
    }
    if let Some(hint) = hint(status) {
        text += &format!("\n          {} {hint}", paint("hint:", Paint::Cyan));
    }
    text
}

#[cfg(unix)]
fn why(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(KILL) => "by signal 9, which the system sends where memory runs out".to_string(),
        Some(signal) => format!("by signal {signal}"),
        None => status.to_string(),
    }
}

#[cfg(unix)]
fn hint(status: ExitStatus) -> Option<&'static str> {
    use std::os::unix::process::ExitStatusExt;
    (status.signal() == Some(KILL)).then_some(
        "lower `sample.batch`, which is without effect on the images, or run fewer workers at once",
    )
}

/// SIGKILL.
#[cfg(unix)]
const KILL: i32 = 9;

#[cfg(not(unix))]
fn why(status: ExitStatus) -> String {
    status.to_string()
}

#[cfg(not(unix))]
fn hint(_: ExitStatus) -> Option<&'static str> {
    None
}

/// The end of what a worker says.
fn last_lines(from: impl Read) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        if lines.len() == TAIL {
            lines.remove(0);
        }
        lines.push(line);
    }
    lines
}
