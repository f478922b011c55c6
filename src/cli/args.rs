//! Every command by its name; flags and help texts stand beside what each does.

use crate::cli::verbs::ask::likelihood::LikelihoodArgs;
use crate::cli::verbs::ask::reconstruct::ReconstructArgs;
use crate::cli::verbs::clean::CleanArgs;
use crate::cli::verbs::export::ExportArgs;
use crate::cli::verbs::fetch::FetchArgs;
use crate::cli::verbs::import::ImportArgs;
use crate::cli::verbs::inspect::InspectArgs;
use crate::cli::verbs::plan::run::PlanArgs;
use crate::cli::verbs::reference::ReferenceArgs;
use crate::cli::verbs::report::ReportArgs;
use crate::cli::verbs::score::args::ScoreArgs;
use crate::cli::verbs::start::schema::SchemaArgs;
use crate::cli::verbs::status::StatusArgs;
use crate::cli::verbs::sweep::SweepArgs;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser, Debug)]
#[command(
    name = "runner",
    version,
    about = "Run ablation sweeps of diffusion models and score their images",
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = "\
Examples:
  # See the grid before any GPU is used
  runner plan experiments/guidance.toml

  # Run it on two GPUs; to resume, run the same command again
  runner sweep experiments/guidance.toml --device cuda:0,cuda:1

  # A quick look: 1,000 images, one slice of the grid
  runner sweep experiments/guidance.toml --set sample.count=1000 --only guidance.scale=1

  # Where it stands, and what one cell did
  runner status experiments/guidance.toml
  runner status experiments/guidance.toml 3

  # Published weights and references, by name, for experiments/imagenet/
  runner fetch --list

Exit status: 0 all done, 1 some cells failed, 2 wrong file or flag, 130 interrupted"
)]
pub struct Cli {
    /// Where results are kept
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".runner",
        env = "RUNNER_STORE"
    )]
    pub store: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show what a sweep would run, and why
    Plan(PlanArgs),
    /// Run what is missing
    Sweep(SweepArgs),
    /// Show where a sweep stands, or what one cell did
    Status(StatusArgs),
    /// Write tables, charts and sample grids
    Report(ReportArgs),
    /// Write the samples of a cell as one npz
    Export(ExportArgs),
    /// Score images against a reference
    Score(ScoreArgs),
    /// Compute reference statistics of a dataset
    Reference(ReferenceArgs),
    /// Bits per dimension of images under a denoiser
    Likelihood(LikelihoodArgs),
    /// Images to noise and back by DDIM, and images between two of them
    Reconstruct(ReconstructArgs),
    /// Show what a checkpoint, npz or key holds
    Inspect(InspectArgs),
    /// Get published weights, references and samples
    Fetch(FetchArgs),
    /// Turn guided-diffusion's flags into an experiment file
    Import(ImportArgs),
    /// Print every key of the experiment file, for editors or as a page
    Schema(SchemaArgs),
    /// Free stored results that no experiment needs
    Clean(CleanArgs),
}
