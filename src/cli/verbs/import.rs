//! `runner import`: guided-diffusion's flags as an experiment file, on stdout.

use crate::cli::args::ImportArgs;
use crate::cli::screen::terminal::out;
use crate::experiment::guided_diffusion::import::import;
use anyhow::{Context, Result};
use std::path::Path;

pub fn run(args: &ImportArgs) -> Result<u8> {
    let text = import(&args.flags, &|path: &Path| path.is_file()).context("--flags")?;
    out(text.trim_end())?;
    Ok(0)
}
