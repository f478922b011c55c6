//! One stage of one cell: any of the five kinds of job behind one face.

use crate::experiment::key::Key;
use crate::jobs::features::FeaturesJob;
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::metrics::MetricsJob;
use crate::jobs::sample::SampleJob;
use crate::jobs::stage::{Cost, Plannable, Stage, Wanted};
use crate::jobs::train::TrainJob;
use crate::jobs::upsample::UpsampleJob;
use anyhow::Result;

/// One stage of one cell. A plan holds few, so their unequal sizes do not matter.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Job {
    Train(TrainJob),
    Sample(SampleJob),
    Upsample(UpsampleJob),
    Features(FeaturesJob),
    Metrics(MetricsJob),
}

/// Asks the job of whichever stage it is.
macro_rules! ask {
    ($job:expr, $inner:ident => $answer:expr) => {
        match $job {
            Job::Train($inner) => $answer,
            Job::Sample($inner) => $answer,
            Job::Upsample($inner) => $answer,
            Job::Features($inner) => $answer,
            Job::Metrics($inner) => $answer,
        }
    };
}

fn stage_of<J: Plannable>(_: &J) -> Stage {
    J::STAGE
}

fn version_of<J: Plannable>(_: &J) -> u32 {
    J::VERSION
}

impl Job {
    pub fn stage(&self) -> Stage {
        ask!(self, job => stage_of(job))
    }

    /// The version of its stage's results.
    pub fn version(&self) -> u32 {
        ask!(self, job => version_of(job))
    }

    /// The address of the result; the same on every machine.
    ///
    /// # Errors
    /// A model that names an unknown preset.
    pub fn key(&self) -> Result<Key> {
        ask!(self, job => job.key())
    }

    /// The stored results that this job reads.
    pub fn needs(&self) -> Vec<Key> {
        ask!(self, job => job.needs())
    }

    pub fn wanted(&self) -> Wanted {
        ask!(self, job => job.wanted())
    }

    pub fn cost(&self) -> Cost {
        ask!(self, job => job.cost())
    }

    /// The files outside the store that this job reads, with their digests.
    pub fn inputs(&self) -> Vec<Pinned> {
        ask!(self, job => job.inputs())
    }
}
