//! Images by a program: its output → `images-AAAAAA-BBBBBB.npz`.

use crate::experiment::file::experiment::AskedImages;
use crate::experiment::key::Key;
use crate::jobs::external::program::{PlannedProgram, ProgramInputs};
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::Result;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq)]
pub struct CommandSampleJob {
    pub program: PlannedProgram,
    pub images: AskedImages,
    /// Whether image i depends on i and the seed alone, as a command promises that uses `{first}`: then any range of images
    /// can be asked for.
    pub elastic: bool,
    /// The training whose folder is `{train}`.
    pub training: Option<Key>,
    /// A metric compares the images with their labels.
    pub needs_labels: bool,
}

impl Plannable for CommandSampleJob {
    const STAGE: Stage = Stage::Sample;
    const VERSION: u32 = 1;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs<'a> {
            program: ProgramInputs<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            training: Option<&'a str>,
            seed: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            collect: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            size: Option<usize>,
            /// Count and devices, where the images depend on them.
            #[serde(skip_serializing_if = "Option::is_none")]
            whole: Option<(usize, usize)>,
        }
        let images = &self.images;
        let whole = (images.count, self.program.devices);
        let inputs = Inputs {
            program: self.program.inputs(),
            training: self.training.as_ref().map(Key::full),
            seed: images.seed,
            collect: images.collect.as_deref(),
            size: images.size,
            whole: Some(whole).filter(|_| !self.elastic),
        };
        Key::of("sample by command", Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        self.training.iter().cloned().collect()
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            count: Some(self.images.count),
            copies: vec![],
        }
    }

    fn cost(&self) -> Cost {
        Cost {
            amount: self.images.count as f64,
            unit: "images",
        }
    }

    fn inputs(&self) -> Vec<Pinned> {
        self.program.files()
    }
}
