//! The one floor where nets meet diffusion and files meet tensors. A stage speaks
//! to another through files named by key; `score` alone imports another folder, `describe`, for images that no job described.

pub mod ask;
pub mod cost;
pub mod describe;
pub mod draw;
pub mod external;
pub mod feed;
pub mod fit;
pub mod inputs;
pub mod post_hoc;
pub mod score;
pub mod train;
pub mod weights;

use crate::jobs::context::JobContext;
use crate::jobs::job::Job;
use crate::jobs::stage::Stage;
use crate::machine::cores::beside;
use crate::machine::profile::{Operation, span};

/// Makes what `job` names, in `context.out`; continues what an earlier run left there.
pub fn run(job: &Job, context: &JobContext) -> anyhow::Result<()> {
    beside(&context.device, || run_here(job, context))
}

fn run_here(job: &Job, context: &JobContext) -> anyhow::Result<()> {
    let _span = span(match job.stage() {
        Stage::Train => Operation::Train,
        Stage::Sample => Operation::Sample,
        Stage::Upsample => Operation::Upsample,
        Stage::Features => Operation::Features,
        Stage::Metrics => Operation::Metrics,
    });
    match job {
        Job::Train(job) => train::run::run(job, context),
        Job::Sample(job) => draw::sample::run(job, context),
        Job::Upsample(job) => draw::upsample::run(job, context),
        Job::Features(job) => describe::features::run(job, context),
        Job::Metrics(job) => score::evaluate::run(job, context),
        Job::CommandTrain(job) => external::train::run(job, context),
        Job::CommandSample(job) => external::sample::run(job, context),
        Job::CommandMetrics(job) => external::measure::run(job, context),
        Job::Adopted(job) => external::adopt::run(job, context),
    }
}
