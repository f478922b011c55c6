//! The sample stage.

use crate::stages::bench::Bench;
use crate::stages::job::SampleJob;
use anyhow::{Result, bail};

pub fn run(_job: &SampleJob, bench: &Bench) -> Result<()> {
    bail!(
        "the sample stage is not built yet ({})",
        bench.out.display()
    )
}
