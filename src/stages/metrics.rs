//! The metrics stage.

use crate::stages::bench::Bench;
use crate::stages::job::MetricsJob;
use anyhow::{Result, bail};

pub fn run(_job: &MetricsJob, bench: &Bench) -> Result<()> {
    bail!(
        "the metrics stage is not built yet ({})",
        bench.out.display()
    )
}
