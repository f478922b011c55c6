//! Keys against inputs: what the job of a result says is computed again.

use crate::experiment::grid::source::Source;
use crate::experiment::grid::sweep::sweep_of;
use crate::experiment::key::Key;
use crate::jobs::files::damage::GONE;
use crate::jobs::inputs::pinned::digest_path;
use crate::jobs::stage::Stage;
use crate::run::manifest::{Copy, Manifest};
use crate::run::plan::Plan;
use crate::run::store::{Entry, JOB, Store};
use crate::run::verify::problem::{Cure, Problem};
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The input files of all results: what is in each now, and with how many results that does not agree.
#[derive(Default)]
pub struct Inputs<'m> {
    /// The results by their keys.
    known: HashMap<&'m Key, &'m Manifest>,
    now: BTreeMap<PathBuf, Option<String>>,
    changed: BTreeMap<PathBuf, usize>,
    absent: BTreeMap<PathBuf, usize>,
}

impl<'m> Inputs<'m> {
    /// Looks at each input of these results once.
    pub fn of(manifests: impl Iterator<Item = &'m Manifest>) -> Inputs<'m> {
        let mut inputs = Inputs {
            known: manifests
                .map(|manifest| (&manifest.key, manifest))
                .collect(),
            ..Inputs::default()
        };
        let all: Vec<_> = inputs.known.values().flat_map(|m| &m.inputs).collect();
        for input in all {
            let path = &input.path;
            let now = inputs.now.entry(path.clone());
            let now = now.or_insert_with(|| digest_path(path).ok());
            match now {
                None => *inputs.absent.entry(path.clone()).or_default() += 1,
                Some(now) if *now != input.sha256 => {
                    *inputs.changed.entry(path.clone()).or_default() += 1;
                }
                Some(_) => {}
            }
        }
        inputs
    }

    /// Whether all files that a result and those before it were made from are here and as they were. At most
    /// `deep` results are looked for before it.
    fn are_those_of(&self, manifest: &Manifest, deep: usize) -> bool {
        let own = manifest.inputs.iter().all(|input| {
            let now = self.now.get(&input.path);
            now.is_some_and(|now| now.as_deref() == Some(&input.sha256))
        });
        let mut needs = manifest.needs.iter().map(|key| self.known.get(key));
        own && needs
            .all(|need| need.is_some_and(|need| deep > 0 && self.are_those_of(need, deep - 1)))
    }

    /// What has changed, and what is not here, a line each.
    pub fn notes(&self) -> Vec<String> {
        let changed = self.changed.iter().map(|(path, n)| {
            format!(
                "{}: its content has changed since {} made from it; what is stored stays valid for what it held then",
                path.display(),
                results(*n, "was", "were")
            )
        });
        let absent = self.absent.iter().map(|(path, n)| {
            format!(
                "{}: not to be read from here; {} made from it, whose keys cannot be computed again",
                path.display(),
                results(*n, "was", "were")
            )
        });
        changed.chain(absent).collect()
    }
}

fn results(n: usize, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 result {one}")
    } else {
        format!("{n} results {many}")
    }
}

/// Compares what `job.toml` says with the key of the folder.
pub fn verify(
    entry: &Entry,
    manifest: &Manifest,
    store: &Store,
    inputs: &Inputs,
) -> Option<Problem> {
    let path = entry.folder.join(JOB);
    let what = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => GONE.to_string(),
        Err(error) => error.to_string(),
        Ok(text) => match text.parse::<toml::Table>() {
            Err(error) => format!("it is not TOML: {}", error.message()),
            Ok(_) if !inputs.are_those_of(manifest, Stage::ALL.len()) => return None,
            Ok(_) => wrong_key(&path, entry, manifest, store)?,
        },
    };
    let text = Copy::read(&entry.folder).and_then(|copy| copy.job().map(str::to_string));
    let folder = entry.folder.clone();
    let cure = match text {
        Some(text) => Cure::WriteJob { folder, text },
        None => Cure::Command(format!("runner sweep FILE --again {}", entry.stage)),
    };
    Some(Problem { path, what, cure })
}

/// How the key that a job's text gives is another than that of its folder.
fn wrong_key(path: &Path, entry: &Entry, manifest: &Manifest, store: &Store) -> Option<String> {
    let plan = match planned(path, entry, store) {
        Ok(plan) => plan,
        // Without a copy it cannot be told whether the text or what it names is the cause.
        Err(error) => {
            let copy = Copy::read(&entry.folder);
            let same = copy.is_none_or(|copy| {
                std::fs::read_to_string(path).is_ok_and(|text| copy.job() == Some(&text))
            });
            return (!same).then(|| format!("{error:#}"));
        }
    };
    let mut of_stage = plan
        .items
        .iter()
        .filter(|item| item.job.stage().name() == entry.stage);
    if of_stage.clone().any(|item| item.key == manifest.key) {
        return None;
    }
    let Some(last) = of_stage.next_back() else {
        return Some(format!("it asks for no job of the stage {}", entry.stage));
    };
    if last.job.version() != manifest.version {
        // Made by another version of the stage, which this program does not take for its own.
        return None;
    }
    Some(format!(
        "it gives the key {}, and the folder is that of {}",
        last.key, manifest.key
    ))
}

fn planned(path: &Path, entry: &Entry, store: &Store) -> Result<Plan> {
    let sweep = sweep_of(Source::read(path)?, &[], &[])?;
    Plan::of(&sweep, store, Some(entry.stage.parse()?))
}
