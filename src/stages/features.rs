//! The features stage.

use crate::stages::bench::Bench;
use crate::stages::job::FeaturesJob;
use anyhow::{Result, bail};

pub fn run(_job: &FeaturesJob, bench: &Bench) -> Result<()> {
    bail!(
        "the features stage is not built yet ({})",
        bench.out.display()
    )
}
