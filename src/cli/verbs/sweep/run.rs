//! `runner sweep`: run what is missing, tell as it goes, end with the table and the report.

use crate::cli::cache;
use crate::cli::open::{Choice, Opened, look_at_nets, open};
use crate::cli::profile::session::Profile;
use crate::cli::screen::terminal;
use crate::cli::screen::terminal::{out, say};
use crate::cli::verbs::report::run::{self as report, OnStdout};
use crate::cli::verbs::work::places::list;
use crate::cli::verbs::work::run::{AFTER, Effort, Telling};
use crate::cli::watched::{INTERRUPTED, until_stopped};
use crate::jobs::stage::Stage;
use crate::run::device::named::devices;
use crate::run::local::Summary;
use crate::run::results::rows;
use crate::run::work::turns::Duty;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::path::Path;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # To resume, run the same command again
  runner sweep experiments/guidance.toml

  # Only the images, on one GPU
  runner sweep experiments/guidance.toml --until sample --device cuda:0

  # Score again what is stored
  runner sweep experiments/guidance.toml --again metrics

  # Where the time goes: a table at the end, and trace.json for ui.perfetto.dev
  runner sweep experiments/guidance.toml --profile=trace.json

  # By workers of a Slurm cluster; Ctrl-C leaves them at work, the same command joins again
  runner sweep experiments/guidance.toml --slurm --store /shared/store --set slurm.time=4:00:00

Every key of the file: docs/keys.md, or `runner schema` for editors")]
pub struct SweepArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// Stop after this stage: train, sample, upsample, features, metrics
    #[arg(long, value_name = "STAGE")]
    pub until: Option<String>,
    /// Make the results of this stage, and of the stages after it, again for these cells
    #[arg(long, value_name = "STAGE")]
    pub again: Option<String>,
    /// `cpu`, `cuda:0,cuda:1`, or `cpu:2` for two workers on the CPU; several are a process each [default: all CUDA devices, else cpu]
    #[arg(long, value_name = "LIST")]
    pub device: Option<String>,
    /// Stop at the first failed job
    #[arg(long)]
    pub fail_fast: bool,
    /// One JSON object per cell on stdout when all is done
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub profile: Profile,
    /// Let workers of a Slurm cluster do it, as the table `[slurm]` asks
    #[arg(long, conflicts_with_all = ["again", "profile"])]
    pub slurm: bool,
    /// With --slurm: end the workers of this sweep; what is stored stays
    #[arg(long, requires = "slurm")]
    pub cancel: bool,
}

pub fn run(args: &SweepArgs, store: &Path) -> Result<u8> {
    let again = args.again.as_ref().map(|stage| {
        let parsed = stage.parse::<Stage>();
        parsed.with_context(|| format!("--again {stage}"))
    });
    let again = again.transpose()?;
    // A wrong name is told before the files are read.
    devices(list(args.device.as_deref())?.0.as_deref())?;
    let until: Option<Stage> = args.until.as_deref().and_then(|stage| stage.parse().ok());
    let mut opened = open(&args.choice, store, args.until.as_deref())?;
    cache::refuse_incomplete(&opened.plan)?;
    look_at_nets(&opened, &args.choice.file)?;
    opened.store.prepare()?;
    if let Some(stage) = again {
        forget(&mut opened, stage)?;
    }
    report::tell_damage(&mut opened);
    let effort = Effort {
        choice: &args.choice,
        device: args.device.as_deref(),
        duty: Duty {
            // The plan ends there already; workers in processes of their own plan for themselves.
            stages: until.map(|last| Stage::ALL.into_iter().filter(|s| *s <= last).collect()),
            waits: false,
        },
        fail_fast: args.fail_fast,
        stop: until_stopped(AFTER)?,
        telling: Telling::Screen,
    };
    let places = effort.places(&opened)?;
    let summary = match effort.make(&opened, &places) {
        Ok(summary) => summary,
        Err(error) => {
            terminal::error(&error);
            return Ok(1);
        }
    };
    if !opened.plan.to_run().is_empty() {
        opened.plan.refresh(&opened.store);
    }
    if summary.stopped {
        let left = summary.left.len();
        let (done, failed) = (summary.done, summary.failed.len());
        say(&format!(
            "{done} done, {failed} failed, {left} to run; what is made so far is kept"
        ));
        say("to resume, run the same command again");
        return Ok(INTERRUPTED);
    }
    if args.json {
        print_json(&opened)?;
    }
    let failures = failures(&opened, &summary, &args.choice.file);
    if args.until.is_some() {
        report::tell_results(&opened);
    } else {
        let table = if args.json {
            OnStdout::Nothing
        } else {
            OnStdout::Table
        };
        report::after_sweep(opened, &args.choice, table)?;
    }
    Ok(status(failures))
}

/// Removes the stored results of `stage`, and of what follows, of the plan's cells.
fn forget(opened: &mut Opened, stage: Stage) -> Result<()> {
    for n in opened.plan.from_stage(stage) {
        let item = &opened.plan.items[n];
        opened
            .store
            .forget(item.job.stage().name(), item.key.short())?;
    }
    opened.plan.refresh(&opened.store);
    Ok(())
}

/// How many jobs failed or were not tried, in a line; none where all are done.
pub(super) fn failures(opened: &Opened, summary: &Summary, file: &Path) -> Option<String> {
    let (failed, left) = (summary.failed.len(), summary.left.len());
    if failed + left == 0 {
        return None;
    }
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
    Some(format!(
        "{text}; see `runner status {}{cell}`",
        file.display()
    ))
}

/// Tells what [`failures`] found; the exit status.
pub(super) fn status(failures: Option<String>) -> u8 {
    failures.map_or(0, |text| {
        terminal::warning(&text);
        1
    })
}

pub(super) fn print_json(opened: &Opened) -> Result<()> {
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
