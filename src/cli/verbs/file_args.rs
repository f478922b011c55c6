//! Flags and help texts of the commands around files: inspect, fetch, import, clean.

use crate::cli::args::Cache;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner inspect checkpoints/64x64_diffusion.pt
  runner inspect training_state.pt --key ema
  runner inspect reference_stats/shapes32.npz
  runner inspect e8d67cc9")]
pub struct InspectArgs {
    /// A .pt, .pth, .safetensors, .pb, .npz or .pkl file, or the first digits of a stored key
    #[arg(value_name = "WHAT")]
    pub what: String,
    /// The dictionary within a torch file or a pickle, such as `ema`; `a.b` is `b` in `a`
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// One JSON object a tensor, array or file on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Files come to a folder of their own and are resumed where they were cut off. Their sha256 is compared with the published
one; where none is published, it is recorded in NAME.json beside the file at first, and compared from then on.
In an experiment file, `fetch:imagenet64` stands for the fetched file of that name.

Examples:
  runner fetch --list
  runner fetch imagenet64 imagenet64-classifier inception imagenet64-reference

  # On another disk
  runner fetch imagenet512 --cache /data/runner")]
pub struct FetchArgs {
    /// What to fetch, by the names of `--list`
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub names: Vec<String>,
    /// Show every name, its size, and what is here already
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub cache: Cache,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
The flags of image_sample.py and classifier_sample.py, or their whole command lines, become a
file; those of super_res_sample.py become the table [upsample] of its second stage. Flags that
change nothing here are listed in a comment at the top.

Examples:
  runner import --flags \"$MODEL_FLAGS $CLASSIFIER_FLAGS $SAMPLE_FLAGS --model_path models/64x64_diffusion.pt\" > a.toml
  runner import --flags \"$UPSAMPLER_FLAGS --large_size 256 --small_size 64 --model_path models/64_256_upsampler.pt\" >> a.toml
  runner plan a.toml")]
pub struct ImportArgs {
    /// guided-diffusion's flags, as one text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub flags: String,
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # See what would go
  runner clean experiments/*.toml

  # Free it
  runner clean experiments/*.toml --yes")]
pub struct CleanArgs {
    /// The experiment files whose results stay
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Free also what `score`, `likelihood` and `reconstruct` keep to go on from
    #[arg(long)]
    pub answers: bool,
    /// Remove, rather than show what would be removed
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub cache: Cache,
}
