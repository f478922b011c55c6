//! `runner sweep`: run what is missing, tell as it goes, end with the table and the report.

use crate::cli::args::SweepArgs;
use crate::cli::open::{Opened, open};
use crate::cli::screen::board::Board;
use crate::cli::screen::terminal;
use crate::cli::screen::terminal::{out, say};
use crate::cli::verbs::fetch;
use crate::cli::verbs::report;
use crate::run::device::{Named, devices};
use crate::run::local::{Options, Summary, run as run_plan};
use crate::run::plan::stage_position;
use crate::run::results::rows;
use crate::stages;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(args: &SweepArgs, store: &Path) -> Result<u8> {
    if let Some(stage) = &args.again {
        stage_position(stage).with_context(|| format!("--again {stage}"))?;
    }
    let devices = devices(args.device.as_deref())?;
    let mut opened = open(&args.choice, store, args.until.as_deref())?;
    fetch::refuse_incomplete(&opened.plan)?;
    opened.store.prepare()?;
    if let Some(stage) = &args.again {
        forget(&mut opened, stage)?;
    }
    watch_for_interrupts()?;
    let summary = match run_missing(&opened, &devices, args.fail_fast) {
        Ok(summary) => summary,
        Err(error) => {
            terminal::error(&error);
            return Ok(1);
        }
    };
    opened.plan.refresh(&opened.store);
    if summary.stopped {
        let left = summary.left.len();
        let (done, failed) = (summary.done, summary.failed.len());
        say(&format!(
            "{done} done, {failed} failed, {left} to run; what is made so far is kept"
        ));
        say("to go on, run the same command again");
        return Ok(130);
    }
    if args.json {
        print_json(&opened)?;
    }
    report::after_sweep(&opened, args)?;
    if summary.failed.is_empty() && summary.left.is_empty() {
        return Ok(0);
    }
    Ok(tell_failures(&opened, &summary, &args.choice.file))
}

fn run_missing(opened: &Opened, devices: &[Named], fail_fast: bool) -> Result<Summary> {
    let open = opened.plan.to_run().len();
    let all = opened.plan.items.len();
    let name = &opened.sweep.name;
    if open == 0 {
        say(&format!("{name}: all {all} jobs are stored"));
        return Ok(Summary::default());
    }
    let on: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    say(&format!(
        "{name}: {open} of {all} jobs to run on {}\n",
        on.join(", ")
    ));
    let board = Board::new(&opened.plan, &opened.store, devices.len());
    let options = Options {
        fail_fast,
        stop: &STOP,
        run: &stages::run,
    };
    let ran = run_plan(&opened.plan, &opened.store, devices, &options, &|event| {
        board.on(event)
    });
    board.close();
    say("");
    ran
}

/// Removes the stored results of `stage`, and of what follows, of the plan's cells.
fn forget(opened: &mut Opened, stage: &str) -> Result<()> {
    for n in opened.plan.from_stage(stage)? {
        let item = &opened.plan.items[n];
        opened.store.forget(item.job.stage(), item.key.short())?;
    }
    opened.plan.refresh(&opened.store);
    Ok(())
}

/// Ctrl-C once stops after the part at hand; twice stops now, which loses no more than that part.
fn watch_for_interrupts() -> Result<()> {
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        say("\nstopping after the current part; press again to stop now");
    };
    ctrlc::set_handler(handler).context("watching for Ctrl-C")
}

fn tell_failures(opened: &Opened, summary: &Summary, file: &Path) -> u8 {
    let (failed, left) = (summary.failed.len(), summary.left.len());
    let jobs = |n: usize| {
        if n == 1 {
            "1 job".to_string()
        } else {
            format!("{n} jobs")
        }
    };
    let mut text = format!("{} failed", jobs(failed));
    if left > 0 {
        text += &format!(", {} not tried", jobs(left));
    }
    let cell = summary
        .failed
        .first()
        .map(|&n| opened.plan.first_cell(n).index);
    let cell = cell.map_or(String::new(), |cell| format!(" {cell}"));
    terminal::warning(&format!(
        "{text}; see `runner status {}{cell}`",
        file.display()
    ));
    1
}

fn print_json(opened: &Opened) -> Result<()> {
    for row in rows(&opened.plan, &opened.store) {
        let at: serde_json::Map<String, serde_json::Value> = row
            .at
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let keys: serde_json::Map<String, serde_json::Value> = row
            .keys
            .iter()
            .map(|(stage, key)| (stage.clone(), json!(key)))
            .collect();
        let line = json!({
            "cell": row.cell,
            "at": at,
            "scores": row.scores,
            "missing": row.missing,
            "keys": keys,
        });
        out(&line.to_string())?;
    }
    Ok(())
}
