//! Flags that the commands share which ask a denoiser about real images.

use crate::cli::cache::Cache;
use crate::stages::ask::denoiser_on_images::Request;
use clap::Args;
use std::path::{Path, PathBuf};

/// What a stopped command says of what it has found.
pub(crate) const KEPT: &str = "what is complete is kept";

/// Which net, which images.
#[derive(Args, Debug, Clone)]
pub struct QuestionArgs {
    /// A denoiser: .safetensors, or guided-diffusion's .pt with `--preset`
    #[arg(value_name = "CHECKPOINT")]
    pub checkpoint: PathBuf,
    /// `shapes` (images that no net was trained on), or an image folder, tar, zip, npz or npy
    #[arg(value_name = "DATA")]
    pub data: String,
    /// The architecture of a checkpoint that does not name it, such as imagenet64
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<String>,
    /// The first N images [default: 1000, or all if there are fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub count: Option<u64>,
    /// Images per batch and per stored part; does not change the numbers
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// `cpu` or `cuda:0` [default: the first CUDA device, else cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    #[command(flatten)]
    pub cache: Cache,
}

impl QuestionArgs {
    pub fn question<'a>(&'a self, checkpoint: &'a Path, store: &'a Path) -> Request<'a> {
        Request {
            checkpoint,
            preset: self.preset.as_deref(),
            data: &self.data,
            count: self.count,
            batch: self.batch as usize,
            store,
        }
    }
}
