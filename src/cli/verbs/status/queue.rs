//! What is left of a sweep, stage by stage, and what has failed.

use crate::cli::screen::terminal::{table, thousands};
use crate::cli::verbs::status::workers::Shown;
use crate::jobs::stage::Stage;
use crate::run::plan::Plan;
use crate::run::store::{Failure, State};
use serde::Serialize;
use std::collections::HashSet;

/// Failures that are told in full; the others are counted.
const MOST_TOLD: usize = 5;

/// Where a job stands that is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Stored,
    Running,
    Ready,
    Failed,
    /// What it reads is not stored: a result of this stage.
    Waiting(Stage),
    /// What it reads, or what that reads, has failed: a result of this stage.
    Blocked(Stage),
}

/// The jobs of a stage, counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub stage: &'static str,
    pub stored: usize,
    pub running: usize,
    pub ready: usize,
    pub waiting: usize,
    pub failed: usize,
    /// For what the waiting ones wait, and how many.
    pub reasons: Vec<(String, usize)>,
}

/// All jobs of a plan.
pub struct Queue {
    /// One for each of `Plan::items`.
    pub standing: Vec<Standing>,
    pub lines: Vec<Line>,
    /// Positions in `Plan::items`.
    pub failed: Vec<usize>,
}

impl Queue {
    /// By the store, and by what living workers say that they do.
    pub fn of(plan: &Plan, workers: &[Shown]) -> Queue {
        let living = workers.iter().filter(|worker| !worker.silent());
        let running: HashSet<usize> = living
            .flat_map(|w| w.items.iter().flatten().copied())
            .collect();
        let mut standing: Vec<Standing> = Vec::with_capacity(plan.items.len());
        for (n, item) in plan.items.iter().enumerate() {
            let lost = item.needs.iter().find_map(|&need| match standing[need] {
                Standing::Failed => Some(plan.items[need].job.stage()),
                Standing::Blocked(stage) => Some(stage),
                _ => None,
            });
            let open = |need: &&usize| standing[**need] != Standing::Stored;
            let open = item.needs.iter().find(open);
            standing.push(match &item.state {
                State::Stored(_) => Standing::Stored,
                State::Running(..) => Standing::Running,
                _ if running.contains(&n) => Standing::Running,
                State::Failed(_) => Standing::Failed,
                _ => match (lost, open) {
                    (Some(stage), _) => Standing::Blocked(stage),
                    (None, Some(&need)) => Standing::Waiting(plan.items[need].job.stage()),
                    (None, None) => Standing::Ready,
                },
            });
        }
        let failed = |n: &usize| standing[*n] == Standing::Failed;
        Queue {
            failed: (0..standing.len()).filter(failed).collect(),
            lines: lines(plan, &standing),
            standing,
        }
    }

    /// Jobs that are not stored.
    pub fn open(&self) -> usize {
        let stored = self.standing.iter().filter(|s| **s == Standing::Stored);
        self.standing.len() - stored.count()
    }

    /// The table, a line a stage.
    pub fn text(&self) -> String {
        let mut rows = vec![HEADS.map(String::from).to_vec()];
        rows.extend(self.cells());
        table(&rows, &[false, true, true, true, true, true, false])
    }

    /// The table's lines.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let line = |line: &Line| {
            let count = |n: usize| thousands(n as u64);
            let reasons = line.reasons.iter();
            let reasons = reasons.map(|(reason, n)| format!("{} for {reason}", count(*n)));
            vec![
                line.stage.to_string(),
                count(line.stored),
                count(line.running),
                count(line.ready),
                count(line.waiting),
                count(line.failed),
                reasons.collect::<Vec<_>>().join(", "),
            ]
        };
        self.lines.iter().map(line).collect()
    }
}

/// The heads of the table of stages.
pub const HEADS: [&str; 7] = [
    "stage", "stored", "running", "ready", "waiting", "failed", "waits",
];

fn lines(plan: &Plan, standing: &[Standing]) -> Vec<Line> {
    let line = |stage: Stage| {
        let own = plan.items.iter().zip(standing);
        let own = own.filter(|(item, _)| item.job.stage() == stage);
        let own: Vec<Standing> = own.map(|(_, standing)| *standing).collect();
        let count = |wanted: Standing| own.iter().filter(|s| **s == wanted).count();
        let mut reasons: Vec<(String, usize)> = Vec::new();
        for of in Stage::ALL {
            reasons.push((of.to_string(), count(Standing::Waiting(of))));
            let failed = format!("a failed {of} job");
            reasons.push((failed, count(Standing::Blocked(of))));
        }
        reasons.retain(|(_, n)| *n > 0);
        Line {
            stage: stage.name(),
            stored: count(Standing::Stored),
            running: count(Standing::Running),
            ready: count(Standing::Ready),
            waiting: reasons.iter().map(|(_, n)| n).sum(),
            failed: count(Standing::Failed),
            reasons,
        }
    };
    let there = |stage: &Stage| plan.items.iter().any(|item| item.job.stage() == *stage);
    Stage::ALL.into_iter().filter(there).map(line).collect()
}

/// The failure of an item that has failed.
pub fn failure(plan: &Plan, n: usize) -> Option<&Failure> {
    match &plan.items[n].state {
        State::Failed(failure) => Some(failure),
        _ => None,
    }
}

/// A failed job in a line, and the command that shows more.
pub struct Told {
    /// `cell 3 steps=25  sample: out of memory`.
    pub line: String,
    /// `runner status FILE 3`.
    pub command: String,
}

/// The first failures, and how many there are beside them.
pub fn first_failures(plan: &Plan, failed: &[usize], file: &str) -> (Vec<Told>, usize) {
    let told = failed.iter().take(MOST_TOLD).map(|&n| {
        let (cell, stage) = (plan.first_cell(n), plan.items[n].job.stage());
        let error = failure(plan, n).and_then(|failure| failure.error.lines().next());
        let at = format!("cell {} {}", cell.index, cell.label());
        Told {
            line: format!("{}  {stage}: {}", at.trim_end(), error.unwrap_or_default()),
            command: format!("runner status {file} {}", cell.index),
        }
    });
    (told.collect(), failed.len().saturating_sub(MOST_TOLD))
}

/// The same in words.
pub fn failures_text(plan: &Plan, failed: &[usize], file: &str) -> String {
    let (told, more) = first_failures(plan, failed, file);
    let lines = told.iter();
    let lines = lines.map(|told| format!("  {}\n    more: {}", told.line, told.command));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    if more > 0 {
        text += &format!(
            "\n  and {} more: runner status {file} --json --workers",
            thousands(more as u64)
        );
    }
    text
}
