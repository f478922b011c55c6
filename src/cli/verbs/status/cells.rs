//! The cells of a sweep as a table.

use crate::cli::open::Opened;
use crate::cli::screen::sweep_progress::with_interval;
use crate::cli::screen::terminal::{table, thousands};
use crate::experiment::grid::axis::short_names;
use crate::experiment::grid::overlay::show;
use crate::jobs::stage::Stage;
use crate::report::rows::names;
use crate::run::plan::{Item, Plan};
use crate::run::results::{Row, row};
use crate::run::store::Mark;
use crate::run::store::State;

/// Cells that a screen shows which is drawn again and again.
const MOST_WATCHED: usize = 40;

/// Every cell as a line of a table.
pub fn all_cells(opened: &Opened) -> String {
    let every: Vec<usize> = (0..opened.plan.cells.len()).collect();
    some_cells(opened, &every)
}

/// The cells as a screen shows them that is drawn again and again: of many those that are under way or have failed.
pub fn watched_cells(opened: &Opened, file: &str) -> String {
    let plan = &opened.plan;
    if plan.cells.len() <= MOST_WATCHED {
        return all_cells(opened);
    }
    let moving = |n: &usize| matches!(progress(plan, *n), Progress::Failed | Progress::UnderWay);
    let moving: Vec<usize> = (0..plan.cells.len()).filter(moving).collect();
    let shown = &moving[..moving.len().min(MOST_WATCHED)];
    let hidden = thousands((plan.cells.len() - shown.len()) as u64);
    let hidden = format!("{hidden} cells are not shown here: runner status {file}");
    if shown.is_empty() {
        return hidden;
    }
    format!("{}\n{hidden}", some_cells(opened, shown))
}

/// The lines of these cells under their heads.
fn some_cells(opened: &Opened, shown: &[usize]) -> String {
    let (heads, right, lines) = columns(opened, shown);
    let mut all = vec![heads];
    all.extend(lines);
    table(&all, &right)
}

/// The heads of the table of cells, which of its columns stand right, and the lines of these cells.
pub fn columns(opened: &Opened, shown: &[usize]) -> (Vec<String>, Vec<bool>, Vec<Vec<String>>) {
    let plan = &opened.plan;
    let rows = shown.iter().map(|&n| row(plan, &opened.store, n));
    let rows: Vec<Row> = rows.collect();
    let stages: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| plan.items.iter().any(|item| item.job.stage() == *stage))
        .collect();
    let metrics = names::metrics(&rows);
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
    let mut lines = Vec::new();
    for (&n, row) in shown.iter().zip(&rows) {
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
    (head, right, lines)
}

fn item_of(plan: &Plan, cell: usize, stage: Stage) -> Option<&Item> {
    let mut items = plan.of_cell[cell].iter().map(|&at| &plan.items[at]);
    items.find(|item| item.job.stage() == stage)
}

/// A stage of a cell in a word: `done`, `3,000/50,000`.
pub fn stage_word(plan: &Plan, cell: usize, stage: Stage) -> String {
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

/// How far a cell is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Done,
    Failed,
    UnderWay,
    Waiting,
}

/// How far the cell at this position of the plan is.
pub fn progress(plan: &Plan, n: usize) -> Progress {
    let states = || plan.of_cell[n].iter().map(|&at| &plan.items[at].state);
    if states().all(State::stored) {
        Progress::Done
    } else if states().any(|state| matches!(state, State::Failed(_))) {
        Progress::Failed
    } else if states().any(|state| *state != State::Missing) {
        Progress::UnderWay
    } else {
        Progress::Waiting
    }
}

/// `8 cells: 3 done, 1 failed, 2 under way, 2 waiting`.
pub fn tally(plan: &Plan) -> String {
    let all = plan.cells.len();
    let each: Vec<Progress> = (0..all).map(|n| progress(plan, n)).collect();
    let count = |wanted: Progress| each.iter().filter(|p| **p == wanted).count();
    let (done, failed) = (count(Progress::Done), count(Progress::Failed));
    let (under_way, waiting) = (count(Progress::UnderWay), count(Progress::Waiting));
    let cells = if all == 1 { "cell" } else { "cells" };
    format!("{all} {cells}: {done} done, {failed} failed, {under_way} under way, {waiting} waiting")
}
