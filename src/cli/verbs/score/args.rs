//! Flags and help texts of `runner score` and `runner evaluator`.

use crate::cli::cache::Cache;
use crate::cli::profile::session::Profile;
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

Without --weights and RUNNER_WEIGHTS the fetched Inception is taken: inception, else inception-torchscript, else
inception-tensorflow, whichever of them `runner fetch` has got. Which file it is, is said on stderr.

References of mu and sigma alone (pytorch-fid's, EDM's, adm_in256_stats.npz) give FID and IS, and sFID where they hold
mu_s and sigma_s; precision, recall and KID need the reference's images, and are left out with a word on stderr.

--json prints one object a line: each score, then each finding, the labels and what was left out. With --preset
torch-fidelity it is one object with torch-fidelity's own keys (frechet_inception_distance, ..) for each set and
reference; in it `scores` has the intervals, and a number that could not be measured is absent but in `scores`, with why.

Several sets (--each) and several references make a row for each set with each reference; each is described once. One
that fails is told, the others are scored, and the exit status is 1. With --shard all of them are described in part.

Examples:
  runner score out/ --reference reference_stats/imagenet64.npz --weights pt_inception-2015-12-05-6726825d.pth

  # After `runner fetch inception` no weights need to be named
  runner score out/ --reference adm_in256_stats.npz --preset torch-fidelity --json

  # Every evaluator's numbers side by side, from one reading of the images
  runner score samples.npz --reference VIRTUAL_imagenet64_labeled.npz --preset all

  # A table of three sets against two references
  runner score --each cfg-1.0/ cfg-1.5/ cfg-4.0.npz --reference imagenet256.npz --reference val/ --csv scores.csv

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
    /// Make every SAMPLES path a set of its own
    #[arg(long)]
    pub each: bool,
    /// Statistics of any evaluator (npz, pkl, pt), or images; may be given several times
    #[arg(long = "reference", value_name = "REFERENCE", required = true)]
    pub references: Vec<String>,
    /// The feature net: Inception's .pth, .pt, .pb or .safetensors, or a feature net trained here [default: the fetched
    /// Inception]
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
    /// `cpu` or `cuda:0`; of `cuda:0,cuda:1` each describes parts of the images [default: the first CUDA device, else cpu]
    #[arg(long, value_name = "LIST")]
    pub device: Option<String>,
    /// This process describes parts for another one, on this device
    #[arg(long, hide = true)]
    pub beside: Option<String>,
    /// One JSON object a score on stdout; by torch-fidelity's rules one object with its keys
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub profile: Profile,
    #[command(flatten)]
    pub cache: Cache,
}

#[derive(Args, Debug, Clone)]
#[command(after_long_help = "\
Stands where `python evaluator.py REF SAMPLES` of guided-diffusion stands, without TensorFlow. On stdout are the lines
that it ends with, with the numbers as Python prints them, and nothing else:
  Inception Score: 215.8370361328125
  FID: 3.9425574129223264
  sFID: 6.140433703346162
  Precision: 0.8265
  Recall: 0.5309
They are the numbers of `runner score SAMPLES --reference REF --preset adm`; their intervals, whose weights were taken,
how the samples are spread over classes and what is odd about them stand on stderr. A number that the reference cannot
give has no line, and stderr says why: precision and recall need the reference's images, and sFID needs mu_s and sigma_s.

Without --weights and RUNNER_WEIGHTS the fetched Inception is taken (`runner fetch inception`). Features are kept below
--store, named by the images' content: the same images are not put through Inception again.

Examples:
  runner evaluator VIRTUAL_imagenet256_labeled.npz samples_50000x256x256x3.npz

  # Folders of images do in either place
  runner evaluator VIRTUAL_imagenet256_labeled.npz out/

  # The paper's own images against its own reference
  runner fetch inception imagenet64-reference imagenet64-samples-adm
  runner evaluator fetch:imagenet64-reference fetch:imagenet64-samples-adm 2> evaluator.log | grep ^FID")]
pub struct EvaluatorArgs {
    /// The reference batch: statistics (npz, pkl, pt), or images
    #[arg(value_name = "REF")]
    pub reference: String,
    /// The sample batch: an npz or npy of images, a folder, tar or zip
    #[arg(value_name = "SAMPLES")]
    pub samples: String,
    /// Inception's .pth, .pt, .pb or .safetensors [default: the fetched Inception]
    #[arg(long, value_name = "FILE", env = "RUNNER_WEIGHTS")]
    pub weights: Option<PathBuf>,
    /// Dictionary of the weights' file that holds the net
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// `cpu` or `cuda:0`; of `cuda:0,cuda:1` each describes parts of the images [default: the first CUDA device, else cpu]
    #[arg(long, value_name = "LIST")]
    pub device: Option<String>,
    /// This process describes parts for another one, on this device
    #[arg(long, hide = true)]
    pub beside: Option<String>,
    #[command(flatten)]
    pub cache: Cache,
}
