//! The train stage.

use crate::stages::bench::Bench;
use crate::stages::job::TrainJob;
use anyhow::{Result, bail};

pub fn run(_job: &TrainJob, bench: &Bench) -> Result<()> {
    bail!("the train stage is not built yet ({})", bench.out.display())
}
