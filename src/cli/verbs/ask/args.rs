//! Flags and help texts of the commands that ask a denoiser about real images.

use crate::cli::args::Cache;
use crate::stages::ask::subject::Question;
use clap::Args;
use std::path::{Path, PathBuf};

/// Which net, which images.
#[derive(Args, Debug, Clone)]
pub struct QuestionArgs {
    /// A denoiser: .safetensors, or guided-diffusion's .pt with `--preset`
    #[arg(value_name = "CHECKPOINT")]
    pub checkpoint: PathBuf,
    /// `shapes` (images that no net was trained on), or an image folder, tar, zip, npz or npy
    #[arg(value_name = "DATA")]
    pub data: String,
    /// What the checkpoint is, where it does not say so, such as imagenet64
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<String>,
    /// The first N images [default: 1000, or what there is]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub count: Option<u64>,
    /// Images at a time, and in a stored part; without effect on the numbers
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// `cpu` or `cuda:0` [default: the first CUDA device, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    #[command(flatten)]
    pub cache: Cache,
}

impl QuestionArgs {
    pub fn question<'a>(&'a self, checkpoint: &'a Path, store: &'a Path) -> Question<'a> {
        Question {
            checkpoint,
            preset: self.preset.as_deref(),
            data: &self.data,
            count: self.count,
            batch: self.batch as usize,
            store,
        }
    }
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
The variational bound of guided-diffusion's image_nll. What is found of each image is kept in the store: to resume, or to
ask about more images, run the same command again.

Examples:
  runner likelihood experiments/shapes/unet16.safetensors shapes --count 200
  runner likelihood fetch:imagenet64 imagenet/val --preset imagenet64 --steps 1000 --out terms.npz")]
pub struct LikelihoodArgs {
    #[command(flatten)]
    pub question: QuestionArgs,
    /// Steps of the process, a count or ADM's `ddim25` and `10,10,20`; fewer give a looser bound, that of the shorter
    /// process [default: all that it was trained on]
    #[arg(long, value_name = "STEPS")]
    pub steps: Option<String>,
    /// Seed of the noise
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
    /// Write `vb_terms`, `mse_terms` and `xstart_mse_terms`, a value a step from the noisiest on, and the `prior` to this
    /// npz, f64 means over images
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner reconstruct experiments/shapes/unet16.safetensors shapes --count 100 --steps 10 --steps 50 --out rebuilt
  runner reconstruct experiments/shapes/unet16.safetensors shapes --count 20 --steps 50 --interpolate 9 --out between")]
pub struct ReconstructArgs {
    #[command(flatten)]
    pub question: QuestionArgs,
    /// Steps each way, a count or ADM's `ddim25`; may be said several times, for a row each
    #[arg(long, value_name = "STEPS", required = true)]
    pub steps: Vec<String>,
    /// Draw K images from one to another, ends included, for each pair of the first 20 images, by the last of the steps
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub interpolate: Option<u32>,
    /// The folder for `reconstruction.png` (the first 10 images above what came back of them) and `interpolation.png`
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// One JSON object a row on stdout
    #[arg(long)]
    pub json: bool,
}
