//! Reads the command, hands it over, and turns how it ended into an exit status.

use clap::Parser;
use runner::cli::args::{Cli, Command};
use runner::cli::{self, terminal};
use runner::io::cores;
use std::process::ExitCode;

fn main() -> ExitCode {
    runner::kernels::alloc::keep_pages();
    if let Err(error) = cores::settle() {
        terminal::error(&error.into());
        return ExitCode::from(2);
    }
    let Cli { store, command } = Cli::parse();
    let ended = match &command {
        Command::Plan(args) => cli::plan::run(args, &store),
        Command::Sweep(args) => cli::sweep::run(args, &store),
        Command::Status(args) => cli::status::run(args, &store),
        Command::Report(args) => cli::report::run(args, &store),
        Command::Export(args) => cli::export::run(args, &store),
        Command::Score(args) => cli::score::run(args, &store),
        Command::Reference(args) => cli::reference::run(args, &store),
        Command::Likelihood(args) => cli::likelihood::run(args, &store),
        Command::Reconstruct(args) => cli::reconstruct::run(args, &store),
        Command::Inspect(args) => cli::inspect::run(args, &store),
        Command::Fetch(args) => cli::fetch::run(args),
        Command::Import(args) => cli::import::run(args),
        Command::Clean(args) => cli::clean::run(args, &store),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) if terminal::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            ExitCode::from(2)
        }
    }
}
