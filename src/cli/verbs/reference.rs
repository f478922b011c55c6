//! `runner reference`: a data set to the npz that samples are measured against.

use crate::cli::cache::{Cache, weights};
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{duration, say, thousands, warning};
use crate::cli::verbs::score::beside::Beside;
use crate::cli::verbs::score::scoring::tell_prefix;
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::data::resize::crop::Crop;
use crate::experiment::key::digest_file;
use crate::experiment::scoring::feature_space::Input;
use crate::experiment::scoring::preset::Preset;
use crate::jobs::context::{Progress, Watch};
use crate::run::device::named::{Named, devices};
use crate::run::work::sharing::LateClaims;
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::reference::{Keeps, Order, run as make};
use crate::stages::describe::reference_images::{self, ImagesOrder};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Args, Debug, Clone)]
#[command(after_long_help = "\
The npz holds mu and sigma, as pytorch-fid, clean-fid and the forks of torch-fidelity read them, and mu_s and sigma_s for
sFID, as the ADM evaluator reads them, all f64; then count, the features of the first images (10,000 of Inception's, 82
MB; 5,000 of other nets'), and how it was made. With --statistics-only the features are left out: 66 MB of Inception's,
which give FID, sFID and IS. Precision, recall and KID then need the images themselves as the reference. The ADM
evaluator's own script also wants the images beside the statistics, as arr_0; `runner evaluator` does not.

Without --weights and RUNNER_WEIGHTS the fetched Inception is taken (`runner fetch inception`).

Examples:
  runner reference shapes --resolution 32 --count 10000 \\
      --weights experiments/shapes/features.safetensors --out reference_stats/shapes32.npz

  # Statistics that the ADM evaluator, pytorch-fid and clean-fid read too
  runner reference imagenet/train --resolution 64 --weights inception.pth --out reference_stats/imagenet64.npz

  # A file to commit, without the images' features
  runner reference ffhq.tar --resolution 256 --statistics-only --out ffhq256_stats.npz")]
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
    /// The feature net: Inception's .pth, .pt, .pb or .safetensors, or a feature net trained here [default: the fetched
    /// Inception]
    #[arg(long, value_name = "FILE", env = "RUNNER_WEIGHTS")]
    pub weights: Option<PathBuf>,
    /// Dictionary of the weights' file that holds the net
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Inception: the evaluator whose way of resizing the reference is for
    #[arg(long, value_name = "PRESET", default_value = "adm")]
    pub preset: String,
    /// Leave the images' features out: a smaller file, against which precision, recall and KID cannot be measured
    #[arg(long)]
    pub statistics_only: bool,
    /// The npz to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// `cpu` or `cuda:0`; of `cuda:0,cuda:1` each describes parts of the images for Inception [default: the first CUDA
    /// device, else cpu]
    #[arg(long, value_name = "LIST")]
    pub device: Option<String>,
    /// This process describes parts for another one, on this device
    #[arg(long, hide = true)]
    pub beside: Option<String>,
    #[command(flatten)]
    pub cache: Cache,
}

/// The data set that is drawn by rule.
const SHAPES: &str = "shapes";

pub fn run(args: &ReferenceArgs, store: &Path) -> Result<u8> {
    let weights = weights(args.weights.as_deref(), &args.cache)?;
    let beside = Beside::of(args.device.as_deref(), args.beside.as_deref())?;
    let device = devices(Some(beside.device()))?.swap_remove(0);
    let digest = digest_file(&weights).context("--weights")?;
    let started = Instant::now();
    let live = Live::start();
    let tell = |progress: Progress| {
        let Progress {
            done, total, unit, ..
        } = progress;
        live.set(format!("{} / {} {unit}", thousands(done), thousands(total)));
    };
    let net = Extractor::open(&weights, args.key.as_deref(), &device.device)?;
    tell_prefix(&net);
    let (made, kept) = if net.space().input == Input::Resized {
        let stop = until_stopped("part")?;
        let watch = Watch {
            tell: &tell,
            warn: &warning,
            stop,
        };
        let _others = beside.start()?;
        let made = by_published_net(args, (&net, &digest), (store, &beside), watch);
        (made, "complete parts are kept")
    } else {
        let stop = until_stopped("batch")?;
        let watch = Watch {
            tell: &tell,
            warn: &warning,
            stop,
        };
        let made = by_own_net(args, (&weights, &digest), &device, watch);
        (
            made,
            "nothing is kept of a reference by a net that was trained here",
        )
    };
    drop(live);
    if unless_stopped(made, kept)?.is_none() {
        return Ok(INTERRUPTED);
    }
    if beside.is_other() {
        return Ok(0);
    }
    let took = duration(started.elapsed().as_secs_f64());
    say(&format!("wrote {} in {took}", args.out.display()));
    Ok(0)
}

/// Image files as they are, or cropped.
fn by_published_net(
    args: &ReferenceArgs,
    (net, weights): (&Extractor, &str),
    (store, beside): (&Path, &Beside),
    watch: Watch,
) -> Result<()> {
    ensure!(
        args.data != SHAPES || Path::new(SHAPES).exists(),
        "`{SHAPES}` is drawn for feature nets that were trained here, and the net in use is {}\nhint: pass `--weights experiments/shapes/features.safetensors`, or a folder of images",
        net.space().net
    );
    let preset: Preset = args.preset.parse().map_err(anyhow::Error::msg)?;
    let rules = preset.rules();
    let order = ImagesOrder {
        data: &args.data,
        crop: args
            .resolution
            .map(|side| (args.crop.unwrap_or_default(), side as usize)),
        count: args.count.map(|count| count as usize),
        extractor: net,
        weights,
        how: rules.preprocessing,
        mixed_sizes: rules.mixed_sizes,
        store,
        claims: &LateClaims::new(store, beside.device()),
        share: beside.share(),
        keeps: keeps(args),
        out: &args.out,
    };
    reference_images::run(&order, watch)
}

fn keeps(args: &ReferenceArgs) -> Keeps {
    if args.statistics_only {
        Keeps::Nothing
    } else {
        Keeps::Features
    }
}

/// Images of one size, from any data that nets are trained on.
fn by_own_net(
    args: &ReferenceArgs,
    (weights, digest): (&Path, &str),
    device: &Named,
    watch: Watch,
) -> Result<()> {
    let (Some(resolution), Some(count)) = (args.resolution, args.count) else {
        bail!("a feature net that was trained here needs `--resolution` and `--count`");
    };
    ensure!(
        args.crop.unwrap_or_default() == Crop::Adm,
        "--crop edm: a feature net that was trained here takes images as it was trained on them, by ADM's crop"
    );
    let order = Order {
        data: &args.data,
        resolution: resolution as usize,
        count: count as usize,
        weights,
        extractor: digest,
        keeps: keeps(args),
        out: &args.out,
    };
    make(&order, &device.device, watch)
}
