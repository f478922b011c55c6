//! Finished cells as rows, in grid order: where each stands in the grid, its scores, and what they were made from.

use crate::experiment::file::drawing::rules::Method;
use crate::experiment::file::shown::EVALUATIONS;
use crate::experiment::grid::sweep::Cell;
use crate::experiment::scoring::metric::Metric;
use crate::io::disk::read_json;
use crate::jobs::files::results::INFLUENCES;
use crate::jobs::files::results::SCORES;
use crate::jobs::files::results::{CHECKPOINTS, Kept};
use crate::jobs::files::results::{COMMAND, Commanded};
use crate::jobs::files::results::{RECORD, Record};
use crate::jobs::inputs::training_steps::TrainingSteps;
use crate::jobs::job::Job;
use crate::jobs::stage::Stage;
use crate::run::evaluations;
use crate::run::manifest::Manifest;
use crate::run::plan::{Item, Plan};
use crate::run::store::{State, Store};
use anyhow::Result;
use jiff::Timestamp;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use crate::metrics::score::Score;

/// The name under which provenance tells the averages of a training.
const AVERAGES: &str = "averages";

/// The scores in the folder of a metrics result.
pub fn scores(folder: &Path) -> Result<Vec<Score>> {
    read_json(&folder.join(SCORES))
}

/// One cell, as tables and charts see it.
#[derive(Clone, Debug)]
pub struct Row {
    pub cell: usize,
    /// Every axis and every list of a zip, by full dotted key.
    pub at: Vec<(String, toml::Value)>,
    /// Those keys of `at` that label the cell.
    pub axes: Vec<String>,
    /// Empty until the cell is scored.
    pub scores: Vec<Score>,
    /// Optimizer steps behind the net that is sampled, where they are known.
    pub step: Option<u64>,
    /// When its stored results were made; none where there are none.
    pub made: Option<Made>,
    /// Why the cell is not finished: `failed`, `not run`, `sample 3000/50000`.
    pub missing: Option<String>,
    /// The folder with the cell's `images-*.npz`.
    pub samples: Option<PathBuf>,
    /// What each image adds to each metric, where the metrics stage left it.
    pub influences: Option<PathBuf>,
    /// Stage and full key of every job.
    pub keys: Vec<(String, String)>,
    /// What was read and where it was made: a name and a text. Rows that say the same share it.
    pub provenance: Vec<(Arc<str>, Arc<str>)>,
}

/// From the first stored result of a cell to the last, in seconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Made {
    pub started: f64,
    pub ended: f64,
}

impl Made {
    fn of(manifest: &Manifest) -> Option<Made> {
        let started: Timestamp = manifest.started.parse().ok()?;
        let started = started.as_millisecond() as f64 / 1e3;
        Some(Made {
            started,
            ended: started + manifest.seconds,
        })
    }

    fn and(self, other: Made) -> Made {
        Made {
            started: self.started.min(other.started),
            ended: self.ended.max(other.ended),
        }
    }
}

pub fn rows(plan: &Plan, store: &Store) -> Vec<Row> {
    let (mut steps, mut texts) = (TrainingSteps::default(), Texts::default());
    let counted = evaluations::are_told(plan);
    let rows = (0..plan.cells.len()).map(|cell| {
        let mut row = row_of(plan, store, cell, &mut texts);
        row.step = steps.of(&plan.cells[cell].spec);
        if let Some(evaluations) = evaluations::of(plan, cell).filter(|_| counted) {
            row.at.push((EVALUATIONS.to_string(), evaluations.into()));
        }
        row
    });
    rows.collect()
}

/// Texts that many rows say, each kept once.
#[derive(Default)]
struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn shared(&mut self, text: String) -> Arc<str> {
        if let Some(known) = self.0.get(text.as_str()) {
            return known.clone();
        }
        let fresh: Arc<str> = text.into();
        self.0.insert(fresh.clone());
        fresh
    }

    fn pair(&mut self, (name, text): (String, String)) -> (Arc<str>, Arc<str>) {
        (self.shared(name), self.shared(text))
    }
}

/// The warnings of every stored result of the plan, each once.
pub fn warnings(plan: &Plan) -> Vec<String> {
    let mut known: HashSet<&String> = HashSet::new();
    let states = plan.items.iter().map(|item| &item.state);
    let lines = states.flat_map(|state| match state {
        State::Stored(manifest) => &manifest.warnings[..],
        _ => &[],
    });
    let fresh = lines.filter(|line| known.insert(line));
    fresh.cloned().collect()
}

/// The cell at position `n` of the plan, without its training step.
pub fn row(plan: &Plan, store: &Store, n: usize) -> Row {
    row_of(plan, store, n, &mut Texts::default())
}

fn row_of(plan: &Plan, store: &Store, n: usize, texts: &mut Texts) -> Row {
    let cell = &plan.cells[n];
    let mut row = Row {
        cell: cell.index,
        at: cell.at.clone(),
        axes: cell.axes.clone(),
        scores: Vec::new(),
        step: None,
        made: None,
        missing: None,
        samples: None,
        influences: None,
        keys: Vec::new(),
        provenance: Vec::new(),
    };
    let mut seconds = None;
    for &at in &plan.of_cell[n] {
        let item = &plan.items[at];
        let stage = item.job.stage();
        row.keys
            .push((stage.name().to_string(), item.key.full().to_string()));
        let State::Stored(manifest) = &item.state else {
            let missing = || missing(stage, &item.state);
            row.missing.get_or_insert_with(missing);
            // The small images are not the cell's.
            if stage == Stage::Upsample {
                row.samples = None;
            }
            continue;
        };
        let made = [row.made, Made::of(manifest)].into_iter().flatten();
        row.made = made.reduce(Made::and);
        let folder = store.folder(stage, &item.key);
        // A file that the manifest does not name is not looked for.
        let has = |name: &str| manifest.files.contains_key(name);
        if has(COMMAND) {
            (row.provenance).extend(commanded(stage, &folder).map(|told| texts.pair(told)));
        }
        let guide = guide(plan, n, item);
        for (mut name, text) in origin(&item.job, manifest) {
            let own = name == stage.name() || name == AVERAGES;
            if let Some(guide) = guide.filter(|_| own) {
                name = format!("{name} ({guide})");
            }
            if !(row.provenance.iter()).any(|(known, _)| **known == *name) {
                row.provenance.push(texts.pair((name, text)));
            }
        }
        match stage {
            Stage::Sample | Stage::Upsample => row.samples = Some(folder),
            Stage::Metrics => match scores(&folder) {
                Ok(scores) => {
                    row.scores.extend(scores);
                    row.scores.extend(seconds.take());
                    if has(RECORD) {
                        let told = evaluator(&folder);
                        (row.provenance).extend(told.map(|told| texts.pair(told)));
                    }
                    let influences = has(INFLUENCES).then(|| folder.join(INFLUENCES));
                    row.influences = row.influences.or(influences);
                }
                Err(error) => row.missing = Some(format!("{error:#}")),
            },
            Stage::Train if guide.is_none() => {
                seconds = seconds.or(training_seconds(cell, item, &folder));
            }
            Stage::Train | Stage::Features => {}
        }
    }
    row
}

/// The seconds of the training behind the sampled net, where the cell asks for them.
fn training_seconds(cell: &Cell, item: &Item, folder: &Path) -> Option<Score> {
    let (spec, metric) = (&cell.spec, Metric::TrainingSeconds);
    if !spec.scores()?.metrics.contains(&metric) {
        return None;
    }
    let count = spec.sample.as_ref()?.count()?;
    let seconds = match &item.job {
        Job::Train(job) => {
            let kept: Vec<Kept> = read_json(&folder.join(CHECKPOINTS)).ok()?;
            let steps = spec.drawn_after().unwrap_or(job.train.updates());
            kept.iter().find(|k| k.steps == steps)?.seconds
        }
        Job::CommandTrain(_) => {
            let told: Commanded = read_json(&folder.join(COMMAND)).ok()?;
            told.calls.iter().map(|call| call.seconds).sum()
        }
        _ => return None,
    };
    Some(Score::bare(metric.id(), seconds, count))
}

/// What guides the cell at position `n`, where `item` is its training and not that of the net that is sampled.
fn guide(plan: &Plan, n: usize, item: &Item) -> Option<&'static str> {
    let method = |at: &usize| {
        let Job::Sample(job) = &plan.items[*at].job else {
            return None;
        };
        let guidance = job.guidance.as_ref()?;
        let trained = guidance.net.as_ref()?.training()?;
        let is_guide = *trained == item.key && job.net.training() != Some(trained);
        is_guide.then_some(guidance.rule.method)
    };
    Some(match plan.of_cell[n].iter().find_map(method)? {
        Method::Classifier => "classifier",
        Method::ClassifierFree => "unconditional net",
        _ => "weaker net",
    })
}

/// What a stored result was made from, and where; of a training also what averages it tracked.
fn origin(job: &Job, manifest: &Manifest) -> Vec<(String, String)> {
    let mut found = provenance(manifest);
    if let Job::Train(job) = job {
        let averages = job.train.averages();
        found.extend(averages.map(|told| (AVERAGES.to_string(), told)));
    }
    found
}

/// What a program was run with, where one was.
fn commanded(stage: Stage, folder: &Path) -> Option<(String, String)> {
    let told: Commanded = read_json(&folder.join(COMMAND)).ok()?;
    Some((format!("{stage} command"), told.line()))
}

/// Whose rules made the scores in a folder; none where they are those of nets trained here.
fn evaluator(folder: &Path) -> Option<(String, String)> {
    let record: Record = read_json(&folder.join(RECORD)).ok()?;
    Some(("evaluator".to_string(), record.line()))
}

/// A state in the few words that stand in a table.
fn missing(stage: Stage, state: &State) -> String {
    match state {
        State::Failed(_) => "failed".to_string(),
        State::Running(_, Some(mark)) | State::Partial(Some(mark)) => {
            format!("{stage} {}/{}", mark.done, mark.total)
        }
        State::Running(_, None) => format!("{stage} running"),
        State::Partial(None) | State::Missing | State::Stored(_) => "not run".to_string(),
    }
}

fn provenance(manifest: &Manifest) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for input in &manifest.inputs {
        let text = format!("sha256 {}", input.sha256);
        found.push((input.path.display().to_string(), text));
    }
    let git = manifest.git.as_ref().map_or(String::new(), |git| {
        let dirty = if git.dirty { ", with changes" } else { "" };
        format!(
            ", commit {}{dirty}",
            &git.commit[..git.commit.len().min(12)]
        )
    });
    let made = format!(
        "key {}, {} on {} in {:.1} s from {}, runner {}{git}",
        manifest.key,
        manifest.device,
        manifest.host,
        manifest.seconds,
        manifest.started,
        manifest.runner,
    );
    found.push((manifest.stage.clone(), made));
    found
}
