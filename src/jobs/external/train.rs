//! A checkpoint by a program: its output folder → `checkpoint/`.

use crate::experiment::key::Key;
use crate::jobs::external::program::{PlannedProgram, ProgramInputs};
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::Result;
use serde::Serialize;

/// The folder of a training by command that holds what it made.
pub const CHECKPOINT: &str = "checkpoint";

#[derive(Clone, Debug, PartialEq)]
pub struct CommandTrainJob {
    pub program: PlannedProgram,
    pub seed: u64,
}

impl Plannable for CommandTrainJob {
    const STAGE: Stage = Stage::Train;
    const VERSION: u32 = 1;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs<'a> {
            program: ProgramInputs<'a>,
            seed: u64,
            devices: usize,
        }
        let inputs = Inputs {
            program: self.program.inputs(),
            seed: self.seed,
            devices: self.program.devices,
        };
        Key::of("train by command", Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        vec![]
    }

    fn wanted(&self) -> Wanted {
        Wanted::default()
    }

    fn cost(&self) -> Cost {
        Cost {
            amount: 1.0,
            unit: "commands",
        }
    }

    fn inputs(&self) -> Vec<Pinned> {
        self.program.files()
    }
}
