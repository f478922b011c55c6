//! Reads the command, hands it over, and turns how it ended into an exit status.

use clap::{CommandFactory, Parser};
use fidrunner::cli::args::{Cli, Command};
use fidrunner::cli::profile::session::{self, Teller};
use fidrunner::cli::screen::terminal;
use fidrunner::cli::verbs;
use fidrunner::cli::verbs::work::places;
use fidrunner::machine::alloc::{LineAligned, keep_pages};
use fidrunner::machine::cores;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: LineAligned = LineAligned;

fn main() -> ExitCode {
    keep_pages();
    let Cli { store, command } = Cli::parse();
    let share = match &command {
        Command::Work(args) => args.core_share.as_deref().and_then(places::share),
        _ => None,
    };
    if let Err(error) = cores::settle(share) {
        terminal::error(&error.into());
        return ExitCode::from(2);
    }
    if let Err(error) = profile(&command) {
        terminal::error(&error);
        return ExitCode::from(2);
    }
    let ended = match &command {
        Command::Init(args) => verbs::start::init::run(args),
        Command::Plan(args) => verbs::plan::run::run(args, &store),
        Command::Sweep(args) if args.slurm => verbs::sweep::slurm::run(args, &store),
        Command::Sweep(args) => verbs::sweep::run::run(args, &store),
        Command::Work(args) => verbs::work::run::run(args, &store),
        Command::Status(args) => verbs::status::run::run(args, &store),
        Command::Report(args) => verbs::report::run::run(args, &store),
        Command::Export(args) => verbs::export::run(args, &store),
        Command::Pack(args) => verbs::pack::run::run(args),
        Command::Score(args) => verbs::score::run::run(args, &store),
        Command::Evaluator(args) => verbs::score::evaluator::run(args, &store),
        Command::Reference(args) => verbs::reference::run(args, &store),
        Command::Likelihood(args) => verbs::ask::likelihood::run(args, &store),
        Command::Reconstruct(args) => verbs::ask::reconstruct::run(args, &store),
        Command::Inspect(args) => verbs::inspect::run(args, &store),
        Command::Fetch(args) => verbs::fetch::run(args),
        Command::Gallery(args) => verbs::gallery::run(args),
        Command::Import(args) => verbs::import::run(args),
        Command::Schema(args) => verbs::start::schema::run(args),
        Command::Verify(args) => verbs::verify::run(args, &store),
        Command::Clean(args) => verbs::clean::run(args, &store),
        Command::Completions(args) => verbs::start::completions::run(args, Cli::command()),
        Command::Man(args) => verbs::start::man::run(args, Cli::command()),
    };
    let profiled = session::end();
    if let Err(error) = &profiled {
        terminal::error(error);
    }
    match ended {
        Ok(0) if profiled.is_err() => ExitCode::from(2),
        Ok(code) => ExitCode::from(code),
        Err(error) if terminal::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            ExitCode::from(2)
        }
    }
}

/// Begins a profile where the command takes one and is asked for it.
fn profile(command: &Command) -> anyhow::Result<()> {
    let teller = |is_worker: bool| {
        if is_worker {
            Teller::Parent
        } else {
            Teller::Itself
        }
    };
    match command {
        Command::Sweep(args) => session::begin(&args.profile, "sweep", Teller::Itself),
        Command::Work(args) => session::begin(&args.profile, "work", teller(args.with_parent)),
        Command::Score(args) => {
            session::begin(&args.profile, "score", teller(args.beside.is_some()))
        }
        _ => Ok(()),
    }
}
