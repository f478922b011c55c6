//! `runner plan`: what a sweep would run, and why.

use crate::cli::cache;
use crate::cli::open::{Choice, Opened, look_at_nets, open};
use crate::cli::screen::terminal::{Paint, bytes, out, paint, say, short, table};
use crate::cli::verbs::plan::budget::{Kind, budget};
use crate::cli::verbs::plan::detect::{DetectArgs, detect};
use crate::cli::verbs::plan::expected::{Expected, work};
use crate::cli::verbs::plan::price;
use crate::cli::verbs::plan::simulate::{SimulateArgs, Simulation};
use crate::cli::verbs::plan::speed::{Probing, SpeedArgs, speed};
use crate::experiment::catalogue::find;
use crate::experiment::grid::axis::{Axis, short_names, shown};
use crate::experiment::grid::sweep::Sweep;
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::job::Job;
use crate::jobs::stage::{Cost, Stage};
use crate::run::plan::Plan;
use crate::run::simulate::files::file_system;
use crate::run::simulate::tasks::division;
use crate::run::store::State;
use crate::run::why::reasons;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::Path;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner plan experiments/guidance.toml
  runner plan experiments/guidance.toml --why
  runner plan experiments/guidance.toml --set sample.steps=50 --json

  # How long it would take on 8 machines like this one, and what would hold them up
  runner plan experiments/guidance.toml --simulate 8

  # How many seeds and images see a difference of 0.01 in the Fréchet distance, from a pilot's rows
  runner plan experiments/attention.toml --set sample.count=500 --detect 0.01

  # The same for GPUs that are not here, from how fast they are
  runner plan imagenet/guidance --only resolution=256 --rate 85.6 --simulate 64

Times come from stored results of the same nets. Where there are none, they are estimated: the
multiply-adds of the nets are counted from their shapes, and this machine is measured once, in
about 5 seconds, with made-up weights. What was measured is kept below --cache and used again; with
--json, --why, --no-probe or RUNNER_NO_PROBE=1 nothing is measured.

Every key of the file: docs/keys.md, or `runner schema` for editors")]
pub struct PlanArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// Stop after this stage: train, sample, upsample, features, metrics
    #[arg(long, value_name = "STAGE")]
    pub until: Option<String>,
    /// One line per cell: what has changed since the nearest stored result
    #[arg(long)]
    pub why: bool,
    /// One JSON object per job on stdout, with every resolved value; one for all with --simulate
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub speed: SpeedArgs,
    #[command(flatten)]
    pub simulate: SimulateArgs,
    #[command(flatten)]
    pub detect: DetectArgs,
}

pub fn run(args: &PlanArgs, store: &Path) -> Result<u8> {
    let opened = open(&args.choice, store, args.until.as_deref())?;
    look_at_nets(&opened, &args.choice.file)?;
    if let Some(asked) = args.detect.detect {
        detect(&opened, asked, &args.choice.file.display().to_string())?;
        return Ok(0);
    }
    if args.why && !args.json {
        print_why(&opened)?;
        return Ok(0);
    }
    let probing = if args.json || args.speed.no_probe {
        Probing::Never
    } else {
        Probing::Allowed
    };
    let (plan, work) = (&opened.plan, work(&opened.plan));
    let (speed, kind) = speed(&args.speed, &args.choice.cache, plan, &work, probing)?;
    let expected = Expected::new(plan, &work, &speed);
    let SimulateArgs { simulate, load } = args.simulate;
    let simulation = simulate
        .map(|workers| Simulation::new(plan, &expected, kind, (workers, load)))
        .transpose()?;
    match (simulation, args.json) {
        (Some(simulation), true) => out(&simulation.json().to_string())?,
        (None, true) => print_json(&opened, &expected)?,
        (simulation, false) => {
            print_summary(&opened, &expected, kind)?;
            if let Some(note) = speed.note(&expected) {
                out(&note)?;
            }
            if let Some(simulation) = simulation {
                out("")?;
                simulation.print()?;
            }
        }
    }
    Ok(0)
}

/// `guidance64: 8 cells = steps [25, 50] x scale [0, 0.5, 1, 4]`; what is zipped moves together: `size/scale [64/1, 64/5]`.
pub fn headline(sweep: &Sweep) -> String {
    let labels = sweep.axes.iter().flat_map(Axis::labels);
    let keys: Vec<String> = labels.map(String::from).collect();
    let names = short_names(&keys);
    let axes = sweep.axes.iter().map(|axis| {
        let own = axis.labels();
        let lists = || {
            axis.lists
                .iter()
                .filter(|(key, _)| own.contains(&key.as_str()))
        };
        let name = |key: &str| {
            keys.iter()
                .position(|k| k == key)
                .map(|at| names[at].as_str())
        };
        let called: Vec<&str> = own.iter().filter_map(|key| name(key)).collect();
        let values = (0..axis.len()).map(|n| {
            let each: Vec<String> = lists()
                .map(|(_, values)| shown(values[n].as_ref()))
                .collect();
            each.join("/")
        });
        let values: Vec<String> = values.collect();
        format!("{} [{}]", called.join("/"), values.join(", "))
    });
    let axes = axes.collect::<Vec<_>>().join(" x ");
    let (kept, all) = (sweep.cells.len(), sweep.count);
    let cells = match (kept, all) {
        (1, 1) => "1 cell".to_string(),
        _ if kept < all => format!("{kept} of {all} cells"),
        _ => format!("{all} cells"),
    };
    if axes.is_empty() {
        format!("{}: {cells}", sweep.name)
    } else {
        format!("{}: {cells} = {axes}", sweep.name)
    }
}

fn print_summary(opened: &Opened, expected: &Expected, kind: Kind) -> Result<()> {
    out(&headline(&opened.sweep))?;
    out("")?;
    let head = ["stage", "jobs", "stored", "to run", "cost"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for stage in Stage::ALL {
        let of_stage = |n: &usize| opened.plan.items[*n].job.stage() == stage;
        let all: Vec<usize> = (0..opened.plan.items.len()).filter(of_stage).collect();
        if all.is_empty() {
            continue;
        }
        let open: Vec<usize> = opened.plan.to_run().into_iter().filter(of_stage).collect();
        rows.push(vec![
            stage.to_string(),
            all.len().to_string(),
            (all.len() - open.len()).to_string(),
            open.len().to_string(),
            cost(&opened.plan, &open, expected),
        ]);
    }
    out(&table(&rows, &[false, true, true, true, false]))?;
    out("")?;
    out(&disk(opened))?;
    for (name, file) in inputs(&opened.plan) {
        if file.absent().is_some() {
            continue;
        }
        out(&format!(
            "  {name}: {}  sha256 {}",
            file.path.display(),
            &file.digest[..8]
        ))?;
    }
    for told in averages(&opened.plan) {
        out(&format!("  averages of the weights: {told}"))?;
    }
    let budget = budget(&opened.plan, expected, kind);
    let prices = price::table(&opened.plan, expected);
    for table in [budget, prices].into_iter().flatten() {
        out("")?;
        out(&table)?;
    }
    for data in opened.plan.absent_data() {
        out(&format!("  not here yet: train.data = {data}"))?;
    }
    let absent = opened.plan.absent();
    if !absent.is_empty() {
        let sizes = absent.iter().map(|name| Ok(find(name)?.bytes));
        let all: u64 = sizes.sum::<Result<u64>>()?;
        out(&format!("  not here yet: {} to fetch", bytes(all)))?;
        say(&format!(
            "\n{} {}",
            paint("hint:", Paint::Cyan),
            cache::command(&absent)
        ));
    }
    Ok(())
}

/// Counted always; timed where a time is known.
fn cost(plan: &Plan, open: &[usize], expected: &Expected) -> String {
    if open.is_empty() {
        return "none".to_string();
    }
    let mut work: Vec<Cost> = Vec::new();
    for cost in open.iter().map(|&n| plan.items[n].job.cost()) {
        match work.iter_mut().find(|known| known.unit == cost.unit) {
            Some(known) => known.amount += cost.amount,
            None => work.push(cost),
        }
    }
    let counted = work.iter().map(|cost| match cost.unit.strip_suffix('s') {
        Some(one) if cost.amount == 1.0 => format!("1 {one}"),
        _ => format!("{} {}", short(cost.amount), cost.unit),
    });
    let counted = counted.collect::<Vec<_>>().join(", ");
    match expected.time(open) {
        Some(time) => format!("{counted}, about {}", time.words()),
        None => counted,
    }
}

fn disk(opened: &Opened) -> String {
    let stored = opened
        .plan
        .items
        .iter()
        .filter_map(|item| match &item.state {
            State::Stored(manifest) => Some(manifest.bytes()),
            _ => None,
        });
    let root = opened.store.root();
    let there = root.ancestors().find(|folder| folder.is_dir());
    let free = fs4::available_space(there.unwrap_or(Path::new(".")));
    let free = free.map_or(String::new(), |free| format!(" ({} free)", bytes(free)));
    format!(
        "  disk: {} in {}{free}",
        bytes(stored.sum()),
        root.display()
    )
}

/// What trainings that track several averages track, each once.
fn averages(plan: &Plan) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for item in &plan.items {
        let Job::Train(job) = &item.job else {
            continue;
        };
        let fresh = job.train.averages().filter(|told| !found.contains(told));
        found.extend(fresh);
    }
    found
}

/// The files outside the store that the plan reads, each once, with what each is to it.
fn inputs(plan: &Plan) -> Vec<(&'static str, Pinned)> {
    let mut found: Vec<(&'static str, Pinned)> = Vec::new();
    for item in &plan.items {
        for file in item.job.inputs() {
            let name = match (&item.job, item.job.stage()) {
                (job, _) if job.program().is_some() => "input",
                (Job::Adopted(_), _) => "images",
                (_, Stage::Train | Stage::Sample | Stage::Upsample) => "weights",
                (_, Stage::Features) => "features",
                (_, Stage::Metrics) => "reference",
            };
            if !found.iter().any(|(_, known)| known.path == file.path) {
                found.push((name, file));
            }
        }
    }
    found.sort_by_key(|(name, _)| match *name {
        "weights" => 0,
        "features" => 1,
        _ => 2,
    });
    found
}

fn word(state: &State) -> &'static str {
    match state {
        State::Stored(_) => "stored",
        State::Running(..) => "running",
        _ => "to run",
    }
}

fn print_why(opened: &Opened) -> Result<()> {
    let plan = &opened.plan;
    let reasons = reasons(plan, &opened.store)?;
    let stages: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| has_stage(plan, *stage))
        .collect();
    let mut head = vec!["cell".to_string(), "at".to_string()];
    head.extend(stages.iter().map(|stage| stage.to_string()));
    head.push(String::new());
    let mut rows = vec![head];
    for (n, cell) in plan.cells.iter().enumerate() {
        let mut row = vec![cell.index.to_string(), cell.label()];
        for stage in &stages {
            let mut items = plan.of_cell[n].iter().map(|&at| &plan.items[at]);
            let item = items.find(|item| item.job.stage() == *stage);
            row.push(item.map_or("-", |item| word(&item.state)).to_string());
        }
        let mut why = plan.of_cell[n].iter().map(|&at| &reasons[at]);
        row.push(why.find(|why| !why.is_empty()).cloned().unwrap_or_default());
        rows.push(row);
    }
    out(&table(&rows, &[true]))
}

fn has_stage(plan: &Plan, stage: Stage) -> bool {
    plan.items.iter().any(|item| item.job.stage() == stage)
}

fn print_json(opened: &Opened, expected: &Expected) -> Result<()> {
    let reasons = reasons(&opened.plan, &opened.store)?;
    for (n, (item, why)) in opened.plan.items.iter().zip(reasons).enumerate() {
        let spec: toml::Table = toml::from_str(&opened.plan.text(n)?)?;
        let cells = item.cells.iter().map(|&n| opened.plan.cells[n].index);
        let cost = item.job.cost();
        let (forecast, files) = (expected.of(n), file_system(&opened.plan, n));
        let line = json!({
            "stage": item.job.stage().name(),
            "key": item.key.full(),
            "cells": cells.collect::<Vec<_>>(),
            "state": word(&item.state),
            "why": why,
            "cost": cost.amount,
            "unit": cost.unit,
            "folder": opened.store.folder(item.job.stage(), &item.key),
            "spec": spec,
            "seconds": forecast.time.map(|time| time.seconds),
            "seconds_from": forecast.time.map(|time| time.source.name()),
            "multiplications": forecast.multiplications,
            "parts": division(&opened.plan, n).map(|division| division.parts),
            "bytes": forecast.bytes,
            "files": files.inodes,
            "operations": files.operations.total(),
        });
        out(&line.to_string())?;
    }
    Ok(())
}
