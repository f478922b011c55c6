//! One stage of one cell: any kind of job behind one face.

use crate::experiment::key::Key;
use crate::jobs::external::adopted::AdoptedJob;
use crate::jobs::external::measure::CommandMetricsJob;
use crate::jobs::external::program::PlannedProgram;
use crate::jobs::external::sample::CommandSampleJob;
use crate::jobs::external::train::CommandTrainJob;
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
    CommandTrain(CommandTrainJob),
    CommandSample(CommandSampleJob),
    CommandMetrics(CommandMetricsJob),
    Adopted(AdoptedJob),
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
            Job::CommandTrain($inner) => $answer,
            Job::CommandSample($inner) => $answer,
            Job::CommandMetrics($inner) => $answer,
            Job::Adopted($inner) => $answer,
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

    /// Whether several workers make its result together, part by part.
    pub fn is_divided(&self) -> bool {
        matches!(self, Job::Sample(_) | Job::Upsample(_) | Job::Features(_))
    }

    /// The program that it runs, where it does.
    pub fn program(&self) -> Option<&PlannedProgram> {
        match self {
            Job::CommandTrain(job) => Some(&job.program),
            Job::CommandSample(job) => Some(&job.program),
            Job::CommandMetrics(job) => Some(&job.program),
            Job::Train(_)
            | Job::Sample(_)
            | Job::Upsample(_)
            | Job::Features(_)
            | Job::Metrics(_)
            | Job::Adopted(_) => None,
        }
    }

    /// The files outside the store that this job reads, with their digests.
    pub fn inputs(&self) -> Vec<Pinned> {
        ask!(self, job => job.inputs())
    }
}
