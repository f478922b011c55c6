//! The one floor where nets meet diffusion and files meet tensors. No stage imports another: they speak through files named by key.

pub mod bench;
pub mod features;
pub mod job;
pub mod keys;
pub mod metrics;
pub mod sample;
pub mod train;

/// Makes what `job` names, in `bench.out`; continues what an earlier run left there.
pub fn run(job: &job::Job, bench: &bench::Bench) -> anyhow::Result<()> {
    match job {
        job::Job::Train(job) => train::run(job, bench),
        job::Job::Sample(job) => sample::run(job, bench),
        job::Job::Features(job) => features::run(job, bench),
        job::Job::Metrics(job) => metrics::run(job, bench),
    }
}
