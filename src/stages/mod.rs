//! The one floor where nets meet diffusion and files meet tensors. No stage imports another: they speak through files named by key.

pub mod answers;
mod asked;
mod balls;
pub mod bench;
pub mod describe;
pub mod described;
pub mod evaluate;
pub mod export;
pub mod extract;
pub mod features;
pub mod feed;
pub mod growth;
pub mod inception;
pub mod inversion;
pub mod job;
pub mod journal;
pub mod keys;
pub mod learner;
pub mod likelihood;
pub mod meta;
pub mod metrics;
pub mod optim;
mod pair;
pub mod parts;
pub mod pinned;
pub mod progress;
pub mod real;
pub mod reference;
pub mod reference_images;
mod rows;
pub mod sample;
pub mod score;
pub mod sides;
pub mod studio;
pub mod subject;
pub mod train;
mod update;
pub mod upsample;
pub mod weights;

use crate::io::cores::beside;
use crate::spec::evaluator::INCEPTION;

/// Makes what `job` names, in `bench.out`; continues what an earlier run left there.
pub fn run(job: &job::Job, bench: &bench::Bench) -> anyhow::Result<()> {
    beside(&bench.device, || run_here(job, bench))
}

fn run_here(job: &job::Job, bench: &bench::Bench) -> anyhow::Result<()> {
    match job {
        job::Job::Train(job) => train::run(job, bench),
        job::Job::Sample(job) => sample::run(job, bench),
        job::Job::Upsample(job) => upsample::run(job, bench),
        job::Job::Features(job) => features::run(job, bench),
        job::Job::Metrics(job) => match job.world == INCEPTION {
            true => evaluate::run(job, bench),
            false => metrics::run(job, bench),
        },
    }
}
