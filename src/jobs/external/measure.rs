//! Numbers by a program: a cell's images → `scores.json`.

use crate::experiment::key::Key;
use crate::jobs::external::program::{PlannedProgram, ProgramInputs};
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::Result;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq)]
pub struct CommandMetricsJob {
    pub program: PlannedProgram,
    pub samples: Key,
    /// The first `count` images are measured.
    pub count: usize,
}

impl Plannable for CommandMetricsJob {
    const STAGE: Stage = Stage::Metrics;
    const VERSION: u32 = 1;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs<'a> {
            program: ProgramInputs<'a>,
            samples: &'a str,
            count: usize,
        }
        let inputs = Inputs {
            program: self.program.inputs(),
            samples: self.samples.full(),
            count: self.count,
        };
        Key::of("metrics by command", Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        vec![self.samples.clone()]
    }

    fn wanted(&self) -> Wanted {
        Wanted::default()
    }

    fn cost(&self) -> Cost {
        Cost {
            amount: self.count as f64,
            unit: "images",
        }
    }

    fn inputs(&self) -> Vec<Pinned> {
        self.program.files()
    }
}
