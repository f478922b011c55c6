//! Upsampling: stored images → larger images in files of the same names.

use crate::experiment::file::experiment::Sample;
use crate::experiment::key::Key;
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::net::{ModelInputs, Net};
use crate::jobs::sample;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use anyhow::Result;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq)]
pub struct UpsampleJob {
    pub net: Net,
    /// The stored images that it starts from, and their labels.
    pub samples: Key,
    /// How the large images are drawn: as many as of the small ones, from the same seed.
    pub sample: Sample,
}

impl Plannable for UpsampleJob {
    const STAGE: Stage = Stage::Upsample;
    const VERSION: u32 = 1;

    fn key(&self) -> Result<Key> {
        #[derive(Serialize)]
        struct Inputs<'a> {
            net: ModelInputs,
            samples: &'a str,
            sample: Sample,
        }
        let net = self.net.inputs()?;
        let inputs = Inputs {
            sample: sample::without_idle(&self.sample, &net),
            net,
            samples: self.samples.full(),
        };
        Key::of(Self::STAGE.name(), Self::VERSION, &inputs)
    }

    fn needs(&self) -> Vec<Key> {
        vec![self.samples.clone()]
    }

    fn wanted(&self) -> Wanted {
        sample::wanted(&self.sample)
    }

    fn cost(&self) -> Cost {
        sample::cost(&self.sample)
    }

    fn inputs(&self) -> Vec<Pinned> {
        self.net.file().into_iter().cloned().collect()
    }
}
