//! The stages of a sweep, in the order in which they follow each other, and what any job of one says of itself.

use crate::experiment::key::Key;
use crate::jobs::inputs::pinned::Pinned;
use anyhow::{Result, bail};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A stage; its name is also the folder of the store that holds its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Train,
    Sample,
    Upsample,
    Features,
    Metrics,
}

impl Stage {
    /// Every stage, the first one first.
    pub const ALL: [Stage; 5] = [
        Stage::Train,
        Stage::Sample,
        Stage::Upsample,
        Stage::Features,
        Stage::Metrics,
    ];

    /// As it stands on the command line, in manifests and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Train => "train",
            Stage::Sample => "sample",
            Stage::Upsample => "upsample",
            Stage::Features => "features",
            Stage::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Stage {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Stage> {
        match Stage::ALL.into_iter().find(|stage| stage.name() == name) {
            Some(stage) => Ok(stage),
            None => bail!(
                "there is no stage `{name}`; the stages are {}",
                Stage::ALL.map(Stage::name).join(", ")
            ),
        }
    }
}

/// What must be there for a job to be done, beyond its key: more of it never makes the rest again.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Wanted {
    /// Images 0..count; None where the result is one whole.
    pub count: Option<usize>,
    /// Copies outside the store.
    pub copies: Vec<PathBuf>,
}

/// How much work the whole of a job is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub amount: f64,
    /// What `amount` counts: `steps`, `evals` (network evaluations of one image), `images`.
    pub unit: &'static str,
}

/// What a job of any stage says of itself.
pub trait Plannable {
    const STAGE: Stage;

    /// A stage whose result changes gets a higher number: every stored result of it is then made again.
    const VERSION: u32;

    /// The address of the result; the same on every machine.
    fn key(&self) -> Result<Key>;

    /// The stored results that it reads.
    fn needs(&self) -> Vec<Key>;

    fn wanted(&self) -> Wanted;

    fn cost(&self) -> Cost;

    /// The files outside the store that it reads, with their digests.
    fn inputs(&self) -> Vec<Pinned>;
}
