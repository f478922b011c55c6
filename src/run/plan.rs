//! Which jobs a sweep has: each once, in the order in which they run, with where each stands.

use crate::experiment::file::experiment::{Experiment, ReportOptions, Training};
use crate::experiment::file::shown::EVALUATIONS;
use crate::experiment::grid::fill::file_of;
use crate::experiment::grid::sweep::{Cell, Sweep};
use crate::experiment::key::Key;
use crate::jobs::job::Job;
use crate::jobs::of_cell::jobs_of;
use crate::jobs::stage::Stage;
use crate::run::store::{State, Store};
use anyhow::{Context, Result};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// One job of the plan.
#[derive(Clone, Debug)]
pub struct Item {
    pub job: Job,
    pub key: Key,
    /// Positions in `Plan::cells` of the cells that share it.
    pub cells: Vec<usize>,
    /// Positions in `Plan::items` of the jobs whose results it reads.
    pub needs: Vec<usize>,
    pub state: State,
    /// Position in `Plan::cells` of the cell that asks for the most of it.
    by: usize,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub cells: Arc<Vec<Cell>>,
    /// In run order: whatever an item needs stands before it.
    pub items: Vec<Item>,
    /// For every cell, its items in run order.
    pub of_cell: Vec<Vec<usize>>,
    /// Whether a chart shows how often the denoising nets are asked.
    pub charts_evaluations: bool,
}

impl Plan {
    /// The jobs of `sweep`, up to and including the stage `until`.
    pub fn of(sweep: &Sweep, store: &Store, until: Option<Stage>) -> Result<Plan> {
        let mut plan = Plan {
            cells: sweep.cells.clone(),
            items: Vec::new(),
            of_cell: Vec::new(),
            charts_evaluations: sweep.charts.iter().any(|chart| chart.x == EVALUATIONS),
        };
        let mut seen: HashMap<Key, usize> = HashMap::new();
        for (n, cell) in sweep.cells.iter().enumerate() {
            let title = || cell.title();
            let mut items = Vec::new();
            for job in jobs_of(cell).with_context(title)? {
                if until.is_some_and(|last| job.stage() > last) {
                    break;
                }
                let key = job.key()?;
                let at = match seen.get(&key) {
                    Some(&at) => at,
                    None => {
                        let needs = job.needs();
                        plan.items.push(Item {
                            needs: needs
                                .iter()
                                .filter_map(|key| seen.get(key).copied())
                                .collect(),
                            state: State::Missing,
                            by: n,
                            cells: Vec::new(),
                            key: key.clone(),
                            job: job.clone(),
                        });
                        plan.items.len() - 1
                    }
                };
                seen.insert(key, at);
                let item = &mut plan.items[at];
                item.cells.push(n);
                if job.wanted().count > item.job.wanted().count {
                    item.by = n;
                    item.job = job;
                }
                items.push(at);
            }
            plan.of_cell.push(items);
        }
        plan.refresh(store);
        Ok(plan)
    }

    /// Item `n` as an experiment file of its own, which makes this one result again.
    ///
    /// # Errors
    /// A value that TOML has no words for.
    pub fn text(&self, n: usize) -> Result<String> {
        let item = &self.items[n];
        job_text(&self.cells[item.by].spec, &item.job)
    }

    /// Looks again where every job stands. A stage's folder is listed once, so that what was never begun costs no call; of
    /// what is there the manifest is read once.
    pub fn refresh(&mut self, store: &Store) {
        let mut begun: HashMap<Stage, HashSet<String>> = HashMap::new();
        for item in &mut self.items {
            let stage = item.job.stage();
            let begun = begun.entry(stage).or_insert_with(|| store.begun(stage));
            item.state = if begun.contains(item.key.short()) {
                store.state(stage, &item.key, &item.job.wanted())
            } else {
                State::Missing
            };
        }
    }

    /// Positions of the items that are not stored.
    pub fn to_run(&self) -> Vec<usize> {
        let open = |&n: &usize| !self.items[n].state.stored();
        (0..self.items.len()).filter(open).collect()
    }

    /// The published files that are read and not in the cache, by the names to fetch them by, each once.
    pub fn absent(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        for file in self.items.iter().flat_map(|item| item.job.inputs()) {
            if let Some(name) = file.absent()
                && known.insert(name.to_string())
            {
                names.push(name.to_string());
            }
        }
        names
    }

    /// What is to be trained on and is not there, each once.
    pub fn absent_data(&self) -> Vec<&str> {
        let mut looked: HashSet<&str> = HashSet::new();
        let mut paths: Vec<&str> = Vec::new();
        for item in &self.items {
            if let Job::Train(job) = &item.job
                && job.data_digest.is_some()
                && looked.insert(job.train.data.as_str())
                && !Path::new(&job.train.data).exists()
            {
                paths.push(&job.train.data);
            }
        }
        paths
    }

    /// The cell that stands for an item in messages.
    pub fn first_cell(&self, item: usize) -> &Cell {
        &self.cells[self.items[item].cells[0]]
    }

    /// Positions of the items of `stage` and of what follows from them.
    pub fn from_stage(&self, stage: Stage) -> Vec<usize> {
        let mut follows = vec![false; self.items.len()];
        for (n, item) in self.items.iter().enumerate() {
            follows[n] = item.job.stage() == stage || item.needs.iter().any(|&need| follows[need]);
        }
        (0..follows.len()).filter(|&n| follows[n]).collect()
    }
}

/// The cell cut down to what `job` reads: an experiment file that makes this one result again.
fn job_text(spec: &Experiment, job: &Job) -> Result<String> {
    let stage = job.stage();
    let mut spec = spec.clone();
    spec.report = ReportOptions::default();
    if stage < Stage::Sample {
        (spec.guidance, spec.sample) = (None, None);
    }
    if let Job::Train(job) = job {
        // The guide's training, where it is that one.
        let train = Training::Net(job.train.clone());
        (spec.model, spec.train) = (job.model.clone(), Some(train));
    }
    if stage < Stage::Upsample || spec.upsample.as_ref().is_some_and(|u| u.is_none()) {
        spec.upsample = None;
    }
    match (&mut spec.eval, job) {
        (Some(eval), Job::CommandMetrics(_)) => eval.scores = None,
        (Some(eval), _) if stage >= Stage::Features => eval.program = None,
        _ => spec.eval = None,
    }
    file_of(&spec).context("writing job.toml")
}
