//! `runner completions`: what makes a shell complete the program's commands and flags, on stdout.

use crate::cli::screen::terminal::out;
use anyhow::Result;
use clap::Args;
use clap_complete::{Shell, generate};

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # bash, where the package bash-completion is installed
  runner completions bash > ~/.local/share/bash-completion/completions/runner

  # zsh, in a folder of $fpath
  runner completions zsh > ~/.zfunc/_runner

  # fish
  runner completions fish > ~/.config/fish/completions/runner.fish")]
pub struct CompletionsArgs {
    /// The shell that is to complete
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// `program` is the whole command line as its parser knows it.
pub fn run(args: &CompletionsArgs, mut program: clap::Command) -> Result<u8> {
    let mut script = Vec::new();
    generate(args.shell, &mut program, "runner", &mut script);
    out(String::from_utf8(script)?.trim_end())?;
    Ok(0)
}
