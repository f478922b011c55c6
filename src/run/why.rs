//! Why a job must run: what moved since the nearest stored result of its stage.

use crate::experiment::grid::overlay::{leaves, show};
use crate::run::plan::{Item, Plan};
use crate::run::store::{Entry, State, Store};
use anyhow::Result;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Inputs that differ from those of the nearest stored result, at most, for it to be told.
const MOST_TOLD: usize = 3;

type Leaves = BTreeMap<String, toml::Value>;

/// One reason per item of the plan; empty where the result is stored.
pub fn reasons(plan: &Plan, store: &Store) -> Result<Vec<String>> {
    let entries = store.entries()?;
    let stored = entries.iter().filter(|entry| entry.manifest().is_some());
    let mut known: HashMap<&str, Known> = HashMap::new();
    for entry in stored {
        if let Some(text) = entry.job() {
            let leaves = inputs(&text);
            let known = known.entry(entry.stage).or_default();
            known.hashes.insert(hash(&leaves));
            known.jobs.push((entry, leaves));
        }
    }
    (0..plan.items.len())
        .map(|n| {
            let stage = plan.items[n].job.stage().name();
            reason(plan, n, known.get(stage))
        })
        .collect()
}

/// The stored results of a stage.
#[derive(Default)]
struct Known<'a> {
    jobs: Vec<(&'a Entry, Leaves)>,
    /// Of the inputs of each.
    hashes: HashSet<u64>,
}

impl Known<'_> {
    /// The first of those nearest to a job, and in how many keys it differs; none where all differ in more than are told.
    fn nearest(&self, mine: &Leaves) -> Option<(&Entry, &Leaves, usize)> {
        let least = usize::from(!self.hashes.contains(&hash(mine)));
        // What is further away than the nearest so far, or than is told, is not compared to its end.
        let (mut nearest, mut bound) = (None, MOST_TOLD + 1);
        for (entry, theirs) in &self.jobs {
            let apart = apart(theirs, mine, bound);
            if apart < bound {
                (nearest, bound) = (Some((*entry, theirs, apart)), apart);
            }
            if bound <= least {
                break;
            }
        }
        nearest
    }
}

fn hash(leaves: &Leaves) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, value) in leaves {
        (key, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

fn reason(plan: &Plan, n: usize, known: Option<&Known>) -> Result<String> {
    let item = &plan.items[n];
    match &item.state {
        State::Stored(_) => return Ok(String::new()),
        State::Running(holder, _) => {
            return Ok(format!(
                "running on {} (process {})",
                holder.host, holder.pid
            ));
        }
        State::Failed(failure) => return Ok(format!("failed: {}", first_line(&failure.error))),
        State::Partial(Some(mark)) => {
            return Ok(format!(
                "{} of {} {} are there",
                mark.done, mark.total, mark.unit
            ));
        }
        State::Partial(None) => return Ok("begun, not finished".to_string()),
        State::Missing => {}
    }
    let open = |&&n: &&usize| !plan.items[n].state.stored();
    if let Some(&need) = item.needs.iter().find(open) {
        return Ok(format!("follows {}", plan.items[need].job.stage()));
    }
    let Some(known) = known else {
        return Ok("nothing stored yet".to_string());
    };
    let mine = inputs(&plan.text(n)?);
    Ok(match known.nearest(&mine) {
        None => "nothing like it stored".to_string(),
        Some((entry, _, 0)) => same_text(item, entry),
        Some((_, theirs, _)) => moved(theirs, &mine).join(", "),
    })
}

/// In how many keys two jobs differ, counted up to `most`.
fn apart(old: &Leaves, new: &Leaves, most: usize) -> usize {
    let changed = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(*value));
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|_| ());
    changed.map(|_| ()).chain(gone).take(most).count()
}

/// The text is the same: then the stage's VERSION, or the bytes of a file it names, moved.
fn same_text(item: &Item, entry: &Entry) -> String {
    let Some(manifest) = entry.manifest() else {
        return String::new();
    };
    if manifest.version != item.job.version() {
        let (old, new) = (manifest.version, item.job.version());
        return format!("{} VERSION: {old} -> {new}", item.job.stage());
    }
    let inputs = item.job.inputs();
    let changed = inputs.iter().find(|now| {
        let mut then = manifest.inputs.iter();
        then.all(|then| then.sha256 != now.digest)
    });
    match changed {
        Some(file) => format!("{} has other contents", file.path.display()),
        None => "what it reads has changed".to_string(),
    }
}

/// A job's inputs, without the name and without what cannot change the result.
fn inputs(text: &str) -> Leaves {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let idle = [
        "name",
        "sample.batch",
        "sample.part",
        "sample.pass",
        "sample.retries",
        "sample.timeout",
        "upsample.batch",
        "upsample.part",
        "train.checkpoint_every",
        "train.export",
        "train.pass",
        "train.retries",
        "train.timeout",
        "eval.pass",
        "eval.retries",
        "eval.timeout",
    ];
    let all = leaves(&table, "").into_iter();
    all.filter(|(key, _)| !idle.contains(&key.as_str()))
        .collect()
}

/// `sample.steps: 25 -> 50`, `eval.metrics: + is`.
fn moved(old: &Leaves, new: &Leaves) -> Vec<String> {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| match (old.get(key), new.get(key)) {
            (Some(toml::Value::Array(old)), Some(toml::Value::Array(new))) => {
                let gone = old.iter().filter(|v| !new.contains(v));
                let come = new.iter().filter(|v| !old.contains(v));
                let gone = gone.map(|v| format!("- {}", show(v)));
                let all: Vec<String> = come.map(|v| format!("+ {}", show(v))).chain(gone).collect();
                format!("{key}: {}", all.join(" "))
            }
            (Some(old), Some(new)) => format!("{key}: {} -> {}", show(old), show(new)),
            (None, Some(new)) => format!("{key}: + {}", show(new)),
            (Some(old), None) => format!("{key}: - {}", show(old)),
            (None, None) => String::new(),
        })
        .collect()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
