//! `runner sweep --slurm`: the workers are jobs of a Slurm cluster; this process submits them, tells how they are, and ends
//! with the report.

use crate::cli::cache;
use crate::cli::open::{Choice, Opened, look_at_nets, open};
use crate::cli::screen::terminal::{self, Paint, paint, say};
use crate::cli::verbs::report::run::{self as report, OnStdout};
use crate::cli::verbs::sweep::run::{SweepArgs, failures, print_json, status};
use crate::cli::verbs::work::places::list;
use crate::cli::watched::{INTERRUPTED, until_stopped};
use crate::cluster::call::call;
use crate::cluster::driver::{self, Outcome, RESUBMITS};
use crate::cluster::event::{Counts, Event, Loss};
use crate::cluster::groups::{Group, groups};
use crate::cluster::ledger::Ledger;
use crate::cluster::losses::{tail, why};
use crate::cluster::script::WorkerCall;
use crate::cluster::staffing::Order;
use crate::cluster::tasks::call_off;
use crate::experiment::check;
use crate::experiment::file::slurm::Slurm;
use crate::run::device::named::devices;
use crate::run::local::Summary;
use crate::run::store::{LOG, State};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

pub fn run(args: &SweepArgs, store: &Path) -> Result<u8> {
    devices(list(args.device.as_deref())?.0.as_deref())?;
    let store = std::path::absolute(store)?;
    let mut opened = open(&args.choice, &store, args.until.as_deref())?;
    let choice = without_slurm(&args.choice);
    let ledger = books(&opened, &choice, args.until.as_deref());
    if args.cancel {
        return cancel(&ledger);
    }
    cache::refuse_incomplete(&opened.plan)?;
    look_at_nets(&opened, &args.choice.file)?;
    let asks = opened.sweep.slurm.over(&users_own()?);
    let groups = groups(&opened.plan, &asks)?;
    refuse_unset(&groups)?;
    opened.store.prepare()?;
    let name = opened.sweep.name.clone();
    let (open_jobs, all) = (opened.plan.to_run().len(), opened.plan.items.len());
    if open_jobs == 0 {
        say(&format!("{name}: all {all} jobs are stored"));
        return end(opened, args, &choice, Outcome::Over);
    }
    // Without Slurm nothing is written.
    call("sbatch", &["--version".to_string()])?;
    say(&format!(
        "{name}: {open_jobs} of {all} jobs to run by Slurm"
    ));
    say(&format!(
        "logs of the workers: {}\n",
        ledger.logs().display()
    ));
    let order = Order {
        store: &opened.store.clone(),
        ledger: &ledger,
        groups: &groups,
        call: &worker(&choice, args.device.as_deref(), &store)?,
        resubmits: asks.resubmits.unwrap_or(RESUBMITS),
        fail_fast: args.fail_fast,
        stop: until_stopped("look at Slurm")?,
    };
    let plan = opened.plan.clone();
    let store = opened.store.clone();
    let told = |event: Event| match event {
        Event::Failed(item) => tell_failed(&plan, &store, item),
        event => tell(&event, &ledger),
    };
    let outcome = driver::drive(&mut opened.plan, &order, &told)?;
    opened.plan.refresh(&opened.store);
    say("");
    end(opened, args, &choice, outcome)
}

/// What a cluster is asked for makes no other sweep, and no slice of one.
fn without_slurm(choice: &Choice) -> Choice {
    let mut choice = choice.clone();
    let of_slurm = |value: &String| value.trim_start().starts_with("slurm.");
    choice.set.retain(|value| !of_slurm(value));
    choice
}

/// Where it is written down what was submitted for this very sweep: of this file, with these options.
fn books(opened: &Opened, choice: &Choice, until: Option<&str>) -> Ledger {
    // The name of a study that ships is no path.
    let file = choice.file.canonicalize();
    let file = file.unwrap_or_else(|_| choice.file.clone());
    let file = file.display().to_string();
    let (set, only) = (choice.set.join("\n"), choice.only.join("\n"));
    let name = opened.sweep.name.as_str();
    let what = [name, &file, &set, &only, until.unwrap_or_default()];
    Ledger::of(opened.store.root(), &what)
}

fn cancel(ledger: &Ledger) -> Result<u8> {
    match call_off(ledger)? {
        0 => say("no workers of this sweep are known to Slurm"),
        1 => say("cancelled 1 array of workers; what is stored stays"),
        arrays => say(&format!(
            "cancelled {arrays} arrays of workers; what is stored stays"
        )),
    }
    Ok(0)
}

/// `slurm.toml` of the user's own configuration, where there is one.
fn users_own() -> Result<Slurm> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // A relative XDG_CONFIG_HOME is to be passed over.
    let xdg = named("XDG_CONFIG_HOME").map(PathBuf::from);
    let xdg = xdg.filter(|path| path.is_absolute());
    let home = || named("HOME").map(|home| Path::new(&home).join(".config"));
    let Some(folder) = xdg.or_else(home) else {
        return Ok(Slurm::default());
    };
    let path = folder.join("runner").join("slurm.toml");
    if !path.exists() {
        return Ok(Slurm::default());
    }
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("reading {}", path.display()))?;
    check::slurm::read(&text).with_context(|| path.display().to_string())
}

/// Variables that are to be passed on and are not set would be missed by workers only.
fn refuse_unset(groups: &[Group]) -> Result<()> {
    let names = groups
        .iter()
        .flat_map(|group| group.asks.env.iter().flatten());
    for name in names.filter(|name| !name.contains('=')) {
        ensure!(
            std::env::var_os(name).is_some(),
            "slurm.env names {name}, which is not set here\nhint: export it before, write \"{name}=VALUE\", or take it out"
        );
    }
    Ok(())
}

fn worker(choice: &Choice, device: Option<&str>, store: &Path) -> Result<WorkerCall> {
    let Choice {
        file,
        set,
        only,
        cache,
    } = choice;
    Ok(WorkerCall {
        program: std::env::current_exe().context("looking for this program's own file")?,
        folder: std::env::current_dir().context("looking for the working folder")?,
        store: store.to_path_buf(),
        file: file.clone(),
        set: set.clone(),
        only: only.clone(),
        cache: cache.cache.clone(),
        device: device.map(String::from),
    })
}

fn tell(event: &Event, ledger: &Ledger) {
    if let Event::Lost(loss) = event {
        return tell_loss(loss);
    }
    let line = match event {
        Event::Submitted {
            id,
            workers,
            partition,
            stages,
        } => {
            let on = partition.as_ref().map(|name| format!("partition {name}, "));
            let (workers, on) = (counted(*workers, "worker"), on.unwrap_or_default());
            format!("submitted array {id} ({workers}, {on}{stages})")
        }
        Event::Joined {
            id,
            workers,
            stages,
        } => format!(
            "joined array {id} ({}, {stages})",
            counted(*workers, "worker")
        ),
        Event::Withdrawn { id, workers } => format!(
            "withdrew {} of array {id}: nothing is left for them to do",
            counted(*workers, "pending worker")
        ),
        Event::Held(holder) => {
            let who = holder.as_ref();
            let who = who.map(|who| format!(" (process {} on {})", who.pid, who.host));
            let who = who.unwrap_or_default();
            format!("waiting: another process{who} submits for this sweep")
        }
        Event::Silent => "waiting: Slurm does not answer; workers that run go on".to_string(),
        Event::Answers => "Slurm answers again".to_string(),
        Event::Full(text) => format!("waiting: Slurm takes no more jobs now: {text}"),
        Event::Stuck { reason, workers } => format!(
            "{}: {} pending for a minute now by Slurm's word {reason}: they may never start\n          look with: squeue --me --start; to change [slurm]: end them with --cancel and start again",
            paint("warning", Paint::Yellow),
            counted(*workers, "worker")
        ),
        Event::Counts(Counts {
            stored,
            jobs,
            running,
            pending,
        }) => {
            format!("{stored} of {jobs} jobs stored; workers: {running} running, {pending} pending")
        }
        Event::Cancelled => format!("ended by --cancel; logs: {}", ledger.logs().display()),
        Event::Lost(_) | Event::Failed(_) => return,
    };
    say(&format!("  {line}"));
}

fn tell_loss(loss: &Loss) {
    let Loss {
        array,
        index,
        node,
        log,
        tail,
        ..
    } = loss;
    let at = if node.is_empty() {
        String::new()
    } else {
        format!(" on {node}")
    };
    say(&format!(
        "  worker {array}_{index}{at} ended: {}",
        why(loss)
    ));
    for line in tail {
        say(&format!("          {line}"));
    }
    if !tail.is_empty() {
        say(&format!("          log: {}", log.display()));
    }
}

/// A failed job with its error and the end of its log.
fn tell_failed(plan: &crate::run::plan::Plan, store: &crate::run::store::Store, item: usize) {
    let of = &plan.items[item];
    let (stage, cell) = (of.job.stage(), plan.first_cell(item));
    let word = paint("failed ", Paint::Red);
    say(&format!("  {word} {} {stage}", cell.title()));
    if let State::Failed(failure) = store.state(stage, &of.key, &of.job.wanted()) {
        for line in failure.error.lines() {
            say(&format!("          {line}"));
        }
    }
    let log = store.folder(stage, &of.key).join(LOG);
    for line in tail(&log) {
        say(&format!("          {line}"));
    }
    say(&format!("          log: {}", log.display()));
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

/// The report and the exit status, as of a sweep on this machine.
fn end(opened: Opened, args: &SweepArgs, choice: &Choice, outcome: Outcome) -> Result<u8> {
    let (plan, file) = (&opened.plan, &args.choice.file);
    let mut summary = Summary::default();
    for n in plan.to_run() {
        match &plan.items[n].state {
            State::Failed(_) => summary.failed.push(n),
            _ => summary.left.push(n),
        }
    }
    match &outcome {
        Outcome::Left => {
            say("the workers go on without this process");
            say("to join them again, run the same command; to end them, add --cancel");
            return Ok(INTERRUPTED);
        }
        Outcome::Cancelled => return Ok(INTERRUPTED),
        Outcome::GivenUp(why) => {
            let left = counted(summary.left.len(), "job");
            terminal::error(&anyhow::anyhow!(
                "workers end again and again and nothing gets on, with {left} to run; the last one: {why}\nhint: see the logs; `resubmits` in [slurm] says how often they are replaced"
            ));
        }
        Outcome::Over => {}
    }
    if args.json {
        print_json(&opened)?;
    }
    let failures = failures(&opened, &summary, file);
    if args.until.is_some() {
        report::tell_results(&opened);
    } else {
        let table = if args.json {
            OnStdout::Nothing
        } else {
            OnStdout::Table
        };
        report::after_sweep(opened, choice, table)?;
    }
    Ok(status(failures))
}
