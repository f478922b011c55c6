//! One cell: its keys, its scores, its errors and the end of its logs.

use crate::cli::open::Opened;
use crate::cli::screen::sweep_progress::with_interval;
use crate::cli::screen::terminal::{Paint, duration, paint, thousands};
use crate::run::results::row;
use crate::run::store::Mark;
use crate::run::store::{Failure, JOB, LOG, State};
use anyhow::{Result, bail};
use std::io::IsTerminal;
use std::path::Path;

const LOG_LINES: usize = 5;

/// The cell of this number of the whole grid.
///
/// # Errors
/// Where there is none.
pub fn one_cell(opened: &Opened, index: usize) -> Result<String> {
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
    let scores = &row(plan, &opened.store, n).scores;
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
