//! Flags and help text of `runner score`.

use crate::cli::cache::Cache;
use crate::stages::describe::described::PART;
use clap::Args;
use std::path::PathBuf;

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
    pub weights: Option<PathBuf>,
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
