//! `runner status`: where a sweep stands; for one cell, its keys, its errors and the end of its logs.

use crate::cli::open::{Choice, Opened, open};
use crate::cli::screen::sweep_progress::with_interval;
use crate::cli::screen::terminal::{Paint, duration, out, paint, table, thousands};
use crate::experiment::grid::axis::short_names;
use crate::experiment::grid::overlay::show;
use crate::jobs::stage::Stage;
use crate::run::plan::{Item, Plan};
use crate::run::results::{Row, rows};
use crate::run::store::{Failure, JOB, LOG, Mark, State};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner status experiments/guidance.toml --watch
  runner status experiments/guidance.toml 3")]
pub struct StatusArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// The number of a cell: show its keys, its error and the end of its log
    #[arg(value_name = "CELL")]
    pub cell: Option<usize>,
    /// Redraw every 2 seconds
    #[arg(long)]
    pub watch: bool,
    /// One JSON object per cell on stdout
    #[arg(long)]
    pub json: bool,
}

const WATCH_EVERY: Duration = Duration::from_secs(2);
const LOG_LINES: usize = 5;

pub fn run(args: &StatusArgs, store: &Path) -> Result<u8> {
    loop {
        let opened = open(&args.choice, store, None)?;
        let text = match args.cell {
            Some(cell) => one_cell(&opened, cell)?,
            None if args.json => as_json(&opened)?,
            None => all_cells(&opened),
        };
        let clear = args.watch && std::io::stdout().is_terminal();
        out(&format!(
            "{}{text}",
            if clear { "\x1b[2J\x1b[H" } else { "" }
        ))?;
        if !args.watch || opened.plan.to_run().is_empty() {
            return Ok(0);
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

fn all_cells(opened: &Opened) -> String {
    let plan = &opened.plan;
    let rows = rows(plan, &opened.store);
    let stages: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| plan.items.iter().any(|item| item.job.stage() == *stage))
        .collect();
    let metrics = metric_names(&rows);
    let axes = plan
        .cells
        .first()
        .map_or(Vec::new(), |cell| cell.axes.clone());
    let mut head = vec!["cell".to_string()];
    head.extend(short_names(&axes));
    head.extend(stages.iter().map(|stage| stage.to_string()));
    head.extend(metrics.iter().cloned());
    let mut right = vec![true; 1 + axes.len()];
    right.extend(vec![false; stages.len() + metrics.len()]);
    let mut lines = vec![head];
    for (n, row) in rows.iter().enumerate() {
        let mut line = vec![row.cell.to_string()];
        let at = axes.iter().map(|axis| plan.cells[n].get(axis));
        line.extend(at.map(|value| value.map(show).unwrap_or_default()));
        line.extend(stages.iter().map(|stage| stage_word(plan, n, *stage)));
        line.extend(metrics.iter().map(|name| {
            let score = row.scores.iter().find(|score| score.metric == *name);
            score.map(with_interval).unwrap_or_default()
        }));
        lines.push(line);
    }
    format!("{}\n{}", table(&lines, &right), tally(plan))
}

fn metric_names(rows: &[Row]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for score in rows.iter().flat_map(|row| &row.scores) {
        if !names.contains(&score.metric) {
            names.push(score.metric.clone());
        }
    }
    names
}

fn item_of(plan: &Plan, cell: usize, stage: Stage) -> Option<&Item> {
    let mut items = plan.of_cell[cell].iter().map(|&at| &plan.items[at]);
    items.find(|item| item.job.stage() == stage)
}

fn stage_word(plan: &Plan, cell: usize, stage: Stage) -> String {
    let far = |mark: &Mark| format!("{}/{}", thousands(mark.done), thousands(mark.total));
    match item_of(plan, cell, stage).map(|item| &item.state) {
        Some(State::Stored(_)) => "done".to_string(),
        Some(State::Failed(_)) => "failed".to_string(),
        Some(State::Running(_, Some(mark))) => far(mark),
        Some(State::Running(_, None)) => "running".to_string(),
        Some(State::Partial(Some(mark))) => format!("stopped {}", far(mark)),
        Some(State::Partial(None)) => "stopped".to_string(),
        Some(State::Missing) | None => "-".to_string(),
    }
}

/// `8 cells: 3 done, 1 failed, 2 under way, 2 waiting`.
fn tally(plan: &Plan) -> String {
    let [mut done, mut failed, mut under_way] = [0; 3];
    for items in &plan.of_cell {
        let states = || items.iter().map(|&at| &plan.items[at].state);
        if states().all(State::stored) {
            done += 1;
        } else if states().any(|state| matches!(state, State::Failed(_))) {
            failed += 1;
        } else if states().any(|state| *state != State::Missing) {
            under_way += 1;
        }
    }
    let all = plan.cells.len();
    let waiting = all - done - failed - under_way;
    let cells = if all == 1 { "cell" } else { "cells" };
    format!("{all} {cells}: {done} done, {failed} failed, {under_way} under way, {waiting} waiting")
}

fn one_cell(opened: &Opened, index: usize) -> Result<String> {
    let plan = &opened.plan;
    let Some(n) = plan.cells.iter().position(|cell| cell.index == index) else {
        bail!(
            "there is no cell {index}; the cells are 0..={}",
            opened.sweep.count.saturating_sub(1)
        );
    };
    let cell = &plan.cells[n];
    let mut lines = vec![
        format!("cell {index}  {}", cell.label())
            .trim_end()
            .to_string(),
    ];
    let mut worst = None;
    for &at in &plan.of_cell[n] {
        let item = &plan.items[at];
        lines.push(format!(
            "  {:<9} {}   key {}",
            item.job.stage(),
            told(&item.state),
            item.key
        ));
        if let State::Failed(failure) = &item.state {
            lines.extend(
                failure
                    .error
                    .lines()
                    .map(|line| format!("            {line}")),
            );
        }
        if !item.state.stored() && item.state != State::Missing {
            worst.get_or_insert(item);
        }
    }
    let scores = &rows(plan, &opened.store)[n].scores;
    for score in scores {
        lines.push(format!("  {:<9} {}", score.metric, with_interval(score)));
    }
    let last = plan.of_cell[n].last().map(|&at| &plan.items[at]);
    if let Some(item) = worst.or(last.filter(|item| item.state.stored())) {
        let folder = opened.store.folder(item.job.stage(), &item.key);
        let job = folder.join(JOB).display().to_string();
        // Inputs that were found beside the experiment file are not found beside this one.
        let programs = plan.of_cell[n]
            .iter()
            .filter_map(|&at| plan.items[at].job.program());
        let mut inputs = programs.flat_map(|program| &program.inputs);
        let alone = if inputs.all(|input| Path::new(&input.name).exists()) {
            format!("   (run it alone: runner sweep {job})")
        } else {
            String::new()
        };
        lines.push(format!("  {:<9} {job}{alone}", "spec"));
        lines.extend(log_tail(&folder.join(LOG)));
    }
    Ok(lines.join("\n"))
}

/// A state in one line of words.
fn told(state: &State) -> String {
    let far = |mark: &Option<Mark>| match mark {
        Some(mark) => format!(
            " at {} / {} {}",
            thousands(mark.done),
            thousands(mark.total),
            mark.unit
        ),
        None => String::new(),
    };
    match state {
        State::Stored(m) => {
            let took = duration(m.seconds);
            format!(
                "{} {} on {} {} after {took}",
                paint_out("done"),
                ago(&m.started),
                m.host,
                m.device
            )
        }
        State::Failed(Failure {
            device,
            host,
            at,
            seconds,
            ..
        }) => format!(
            "failed {} on {host} {device} after {}",
            ago(at),
            duration(*seconds)
        ),
        State::Running(holder, mark) => format!(
            "running on {} {} (process {}){}",
            holder.host,
            holder.device,
            holder.pid,
            far(mark)
        ),
        State::Partial(mark) => format!("stopped{}", far(mark)),
        State::Missing => "not run".to_string(),
    }
}

fn paint_out(word: &str) -> String {
    if std::io::stdout().is_terminal() {
        paint(word, Paint::Green)
    } else {
        word.to_string()
    }
}

/// `12 min ago`, from an RFC 3339 time.
fn ago(at: &str) -> String {
    let Ok(then) = at.parse::<jiff::Timestamp>() else {
        return at.to_string();
    };
    let seconds = jiff::Timestamp::now().duration_since(then).as_secs_f64();
    if seconds < 10.0 {
        "just now".to_string()
    } else {
        format!("{} ago", duration(seconds))
    }
}

fn log_tail(path: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(path) else {
        return Vec::new();
    };
    let all: Vec<&str> = text.lines().collect();
    let mut lines = vec![format!("  {:<9} {}, last lines:", "log", path.display())];
    let tail = &all[all.len().saturating_sub(LOG_LINES)..];
    lines.extend(tail.iter().map(|line| format!("            {line}")));
    lines
}

fn as_json(opened: &Opened) -> Result<String> {
    let plan = &opened.plan;
    let mut lines = Vec::new();
    for (n, row) in rows(plan, &opened.store).iter().enumerate() {
        let at: serde_json::Map<String, serde_json::Value> = row
            .at
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        let jobs = plan.of_cell[n].iter().map(|&at| {
            let item = &plan.items[at];
            let error = match &item.state {
                State::Failed(failure) => Some(failure.error.as_str()),
                _ => None,
            };
            json!({
                "stage": item.job.stage().name(),
                "key": item.key.full(),
                "state": stage_word(plan, n, item.job.stage()),
                "error": error,
            })
        });
        let line = json!({
            "cell": row.cell,
            "at": at,
            "jobs": jobs.collect::<Vec<_>>(),
            "scores": row.scores,
            "missing": row.missing,
        });
        lines.push(line.to_string());
    }
    Ok(lines.join("\n"))
}
