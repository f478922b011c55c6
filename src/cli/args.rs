//! Every command; flags and help texts of those that run and score. The rest are in `file_args`.

use crate::data::resize::crop::Crop;
use crate::stages::describe::described::PART;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

pub use crate::cli::verbs::ask::args::{LikelihoodArgs, QuestionArgs, ReconstructArgs};
pub use crate::cli::verbs::file_args::{CleanArgs, FetchArgs, ImportArgs, InspectArgs};

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
    /// Free stored results that no experiment needs
    Clean(CleanArgs),
}

/// Where fetched files are.
#[derive(Args, Debug, Clone, Default)]
pub struct Cache {
    /// Where fetched files are kept [default: ~/.cache/runner]
    #[arg(long, value_name = "DIR", env = "RUNNER_CACHE")]
    pub cache: Option<PathBuf>,
}

/// Which cells of which file.
#[derive(Args, Debug, Clone)]
pub struct Choice {
    /// The experiment file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Override a value of the file, such as `sample.count=1000`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Keep these cells of the grid, such as `guidance.scale=0,4`
    #[arg(long, value_name = "KEY=VALUE[,VALUE]")]
    pub only: Vec<String>,
    #[command(flatten)]
    pub cache: Cache,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner plan experiments/guidance.toml
  runner plan experiments/guidance.toml --why
  runner plan experiments/guidance.toml --set sample.steps=50 --json")]
pub struct PlanArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// Stop after this stage: train, sample, upsample, features, metrics
    #[arg(long, value_name = "STAGE")]
    pub until: Option<String>,
    /// One line a cell: what moved since the nearest stored result
    #[arg(long)]
    pub why: bool,
    /// One JSON object a job on stdout, with every resolved value
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # To resume, run the same command again
  runner sweep experiments/guidance.toml

  # Only the images, on one GPU
  runner sweep experiments/guidance.toml --until sample --device cuda:0

  # Score again what is stored
  runner sweep experiments/guidance.toml --again metrics")]
pub struct SweepArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// Stop after this stage: train, sample, upsample, features, metrics
    #[arg(long, value_name = "STAGE")]
    pub until: Option<String>,
    /// Forget the stored result of this stage, and what follows, for these cells
    #[arg(long, value_name = "STAGE")]
    pub again: Option<String>,
    /// `cpu` or `cuda:0,cuda:1` [default: all CUDA devices, else cpu]
    #[arg(long, value_name = "LIST")]
    pub device: Option<String>,
    /// Stop at the first failed job
    #[arg(long)]
    pub fail_fast: bool,
    /// One JSON object a cell on stdout when all is done
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner status experiments/guidance.toml --watch
  runner status experiments/guidance.toml 3")]
pub struct StatusArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// The number of one cell: its keys, its error, the end of its log
    #[arg(value_name = "CELL")]
    pub cell: Option<usize>,
    /// Redraw every 2 s
    #[arg(long)]
    pub watch: bool,
    /// One JSON object a cell on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner report experiments/guidance.toml
  runner report experiments/guidance.toml --format md,csv --sort fd --out results")]
pub struct ReportArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// html, csv, parquet, md, tex, svg, png [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub format: Vec<String>,
    /// Where to write [default: reports/NAME; with --set or --only a folder in it]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Order the tables by an axis or a metric
    #[arg(long, value_name = "KEY")]
    pub sort: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
The npz is as guided-diffusion's scripts write theirs: `arr_0` u8 [n, height, width, 3], `arr_1` int64 [n] the labels. Its
evaluator.py, its super_res_sample.py (--base_samples) and `runner score` read it.

Examples:
  runner export experiments/guidance.toml 0 --out samples.npz

  # The first 100 images of one slice
  runner export experiments/guidance.toml --only model.resolution=16 --only guidance.scale=1 --set sample.count=100

  # The small images that an upsampler started from
  runner export experiments/upsample.toml 1 --stage sample")]
pub struct ExportArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// The number of the cell, where there are several
    #[arg(value_name = "CELL")]
    pub cell: Option<usize>,
    /// The npz to write [default: NAME-cellCELL.npz]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Whose images: sample or upsample [default: the last that the cell has]
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
}

#[derive(Args, Debug, Clone)]
#[command(after_long_help = "\
Presets fix everything between image files and numbers, as one published evaluator does it:
  adm                          guided-diffusion's evaluator.py: FID, sFID, IS, precision, recall
  torch-fidelity               torch-fidelity 0.4.0 on Inception: FID, IS, KID, precision, recall
  pytorch-fid                  pytorch-fid 0.3.0: FID
  clean-fid                    clean-fid 0.1.35, mode clean: FID, KID
  clean-fid-legacy-tensorflow  its mode legacy_tensorflow
  clean-fid-legacy-pytorch     its mode legacy_pytorch
  edm                          EDM's fid.py: FID
  dgm-eval                     dgm-eval on Inception: FD, FD infinity, IS, KD, precision, recall, density, coverage

Examples:
  runner score out/ --reference reference_stats/imagenet64.npz --weights pt_inception-2015-12-05-6726825d.pth

  # Every evaluator's numbers side by side, from one reading of the images
  runner score samples.npz --reference VIRTUAL_imagenet64_labeled.npz --weights inception.pth --preset all

  # A small world's own net: distances are then FD, not FID
  runner score out/ --reference reference_stats/shapes32.npz --weights experiments/shapes/features.safetensors

  # The paper's own images against its own reference, all of them fetched before
  runner score fetch:imagenet64-samples-adm --reference fetch:imagenet64-reference --weights fetch:inception

  # Two machines, half each; then copy both stores' described/ into one and run without --shard
  runner score out/ --reference ref/ --weights inception.pth --shard 1/2")]
pub struct ScoreArgs {
    /// Image folders, tar, zip, npz or npy files, one set together
    #[arg(value_name = "SAMPLES", required = true)]
    pub samples: Vec<String>,
    /// Statistics of any evaluator (npz, pkl, pt), or images
    #[arg(long, value_name = "REFERENCE")]
    pub reference: String,
    /// The feature net: Inception's .pth, .pt, .pb or .safetensors, or a feature net trained here
    #[arg(long, value_name = "FILE", env = "RUNNER_WEIGHTS")]
    pub weights: PathBuf,
    /// Whose numbers: a preset's name, or `all`
    #[arg(long, value_name = "PRESET", default_value = "adm")]
    pub preset: String,
    /// Only these, such as `fid,precision` [default: all that the preset has]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub metrics: Vec<String>,
    /// Also what SciPy's square root prints where it differs
    #[arg(long)]
    pub compat: bool,
    /// Dictionary of the weights' file that holds the net
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Statistics of a reference file that holds several, such as `fid`
    #[arg(long, value_name = "KEY")]
    pub reference_key: Option<String>,
    /// Images a stored part of features
    #[arg(long, value_name = "N", default_value_t = PART as u32, value_parser = clap::value_parser!(u32).range(1..))]
    pub part: u32,
    /// Describe only every Nth part, from the Kth on, and stop before the scores
    #[arg(long, value_name = "K/N")]
    pub shard: Option<String>,
    /// Append the scores to this table
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// `cpu` or `cuda:0` [default: the first CUDA device, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// One JSON object a score on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub cache: Cache,
}

#[derive(Args, Debug, Clone)]
#[command(after_long_help = "\
Examples:
  runner reference shapes --resolution 32 --count 10000 \\
      --weights experiments/shapes/features.safetensors --out reference_stats/shapes32.npz

  # Statistics that the ADM evaluator, pytorch-fid and clean-fid read too
  runner reference imagenet/train --resolution 64 --weights inception.pth --out reference_stats/imagenet64.npz")]
pub struct ReferenceArgs {
    /// `shapes`, or an image folder, tar, zip, npz or npy
    #[arg(value_name = "DATA")]
    pub data: String,
    /// Pixels a side that images are cropped to [default for Inception: as they are]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub resolution: Option<u32>,
    /// Inception: whose way of cropping, `adm` (BOX and BICUBIC, then the centre) or `edm` (the centre, then LANCZOS)
    /// [default: adm]
    #[arg(long, value_name = "WAY", requires = "resolution")]
    pub crop: Option<Crop>,
    /// Images to describe, the first ones [default for Inception: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub count: Option<u32>,
    /// The feature net: Inception's .pth, .pt, .pb or .safetensors, or a feature net trained here
    #[arg(long, value_name = "FILE", env = "RUNNER_WEIGHTS")]
    pub weights: PathBuf,
    /// Inception: the evaluator whose way of resizing the reference is for
    #[arg(long, value_name = "PRESET", default_value = "adm")]
    pub preset: String,
    /// The npz to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// `cpu` or `cuda:0` [default: the first CUDA device, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    #[command(flatten)]
    pub cache: Cache,
}
