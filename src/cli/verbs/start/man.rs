//! `runner man`: the help texts as manual pages, one for the program and one a command.

use crate::cli::screen::terminal::say;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # Where `man` looks for a user's own pages; then `man runner` and `man runner-sweep`
  runner man --out ~/.local/share/man/man1

  # For all users of a machine
  sudo runner man --out /usr/local/share/man/man1")]
pub struct ManArgs {
    /// The folder to write `runner.1`, `runner-plan.1` and the others to; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `program` is the whole command line as its parser knows it.
pub fn run(args: &ManArgs, program: clap::Command) -> Result<u8> {
    let folder = args.out.display();
    std::fs::create_dir_all(&args.out).with_context(|| format!("--out {folder}"))?;
    clap_mangen::generate_to(program, &args.out).with_context(|| format!("--out {folder}"))?;
    say(&format!("wrote runner.1 and a page a command to {folder}"));
    Ok(0)
}
