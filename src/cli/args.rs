//! Every command by its name; flags and help texts stand beside what each does.

use crate::cli::verbs::ask::likelihood::LikelihoodArgs;
use crate::cli::verbs::ask::reconstruct::ReconstructArgs;
use crate::cli::verbs::clean::CleanArgs;
use crate::cli::verbs::export::ExportArgs;
use crate::cli::verbs::fetch::FetchArgs;
use crate::cli::verbs::gallery::GalleryArgs;
use crate::cli::verbs::import::ImportArgs;
use crate::cli::verbs::inspect::InspectArgs;
use crate::cli::verbs::pack::args::PackArgs;
use crate::cli::verbs::plan::run::PlanArgs;
use crate::cli::verbs::reference::ReferenceArgs;
use crate::cli::verbs::report::run::ReportArgs;
use crate::cli::verbs::score::args::{EvaluatorArgs, ScoreArgs};
use crate::cli::verbs::start::completions::CompletionsArgs;
use crate::cli::verbs::start::init::InitArgs;
use crate::cli::verbs::start::man::ManArgs;
use crate::cli::verbs::start::schema::SchemaArgs;
use crate::cli::verbs::status::run::StatusArgs;
use crate::cli::verbs::sweep::run::SweepArgs;
use crate::cli::verbs::verify::VerifyArgs;
use crate::cli::verbs::work::args::WorkArgs;
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
  # A study that ships, by its name, in any folder: minutes on two cores
  runner sweep guidance

  # The studies that ship, and one of them as a file here, to be changed
  runner init
  runner init guidance

  # See the grid before any GPU is used
  runner plan experiments/guidance.toml

  # Run it on two GPUs; to resume, run the same command again
  runner sweep experiments/guidance.toml --device cuda:0,cuda:1

  # A quick look: fewer images, part of the grid; the report has a folder of its own
  runner sweep experiments/guidance.toml --set sample.count=100 --only guidance.scale=0,5

  # How far it is, and what happened in cell 3
  runner status experiments/guidance.toml
  runner status experiments/guidance.toml 3

  # Published weights and references, by name, for the studies imagenet/...
  runner fetch --list

Exit status: 0 all done, 1 some cells or sets failed, 2 wrong file or flag, 130 interrupted"
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
    /// List the studies that ship, or write one here to be changed
    Init(InitArgs),
    /// Show what a sweep would run, and why
    Plan(PlanArgs),
    /// Run what is missing
    Sweep(SweepArgs),
    /// Take jobs from the store until nothing is left: a worker, as many as you like
    Work(WorkArgs),
    /// Show how far a sweep is, or what happened in one cell
    Status(StatusArgs),
    /// Write tables, charts and sample grids
    Report(ReportArgs),
    /// Collect finished reports on one page: a chart and a sentence each
    Gallery(GalleryArgs),
    /// Write the samples of a cell as one npz
    Export(ExportArgs),
    /// Put folders, archives and batches of images into one npz or tar
    Pack(PackArgs),
    /// Score images against a reference
    Score(ScoreArgs),
    /// Print the five lines of guided-diffusion's evaluator.py
    Evaluator(EvaluatorArgs),
    /// Compute reference statistics of a dataset
    Reference(ReferenceArgs),
    /// Measure bits per dimension of images under a denoiser
    Likelihood(LikelihoodArgs),
    /// Encode images into noise by DDIM and back, and interpolate
    Reconstruct(ReconstructArgs),
    /// Show what a checkpoint, npz or key holds
    Inspect(InspectArgs),
    /// Get published weights, references and samples
    Fetch(FetchArgs),
    /// Turn guided-diffusion's flags into an experiment file
    Import(ImportArgs),
    /// Print every key of the experiment file, for editors or as a page
    Schema(SchemaArgs),
    /// Compare every stored file, or a report, with what was written
    Verify(VerifyArgs),
    /// Remove stored results that no named experiment needs
    Clean(CleanArgs),
    /// Print a shell's completions of commands and flags
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}
