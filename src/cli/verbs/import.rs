//! `runner import`: guided-diffusion's flags as an experiment file, on stdout.

use crate::cli::screen::terminal::out;
use crate::experiment::guided_diffusion::import::import;
use anyhow::{Context, Result};
use clap::Args;
use std::path::Path;

#[derive(Args, Debug)]
#[command(after_long_help = "\
The flags of image_sample.py and classifier_sample.py, or their whole command lines, become an
experiment file; those of super_res_sample.py become the table [upsample] for its second stage. Launchers
(torchrun, srun, mpiexec, ...) and flags that have no effect here are skipped and listed in a comment at
the top of the file.

Examples:
  runner import --flags \"$MODEL_FLAGS $CLASSIFIER_FLAGS $SAMPLE_FLAGS --model_path models/64x64_diffusion.pt\" > a.toml
  runner import --flags \"$UPSAMPLER_FLAGS --large_size 256 --small_size 64 --model_path models/64_256_upsampler.pt\" >> a.toml
  runner plan a.toml")]
pub struct ImportArgs {
    /// guided-diffusion's flags, as one text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub flags: String,
}

pub fn run(args: &ImportArgs) -> Result<u8> {
    let text = import(&args.flags, &|path: &Path| path.is_file()).context("--flags")?;
    out(text.trim_end())?;
    Ok(0)
}
