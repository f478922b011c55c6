//! `runner reference`: a data set to the npz that samples are measured against.

use crate::cli::args::ReferenceArgs;
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{duration, say, thousands};
use crate::cli::verbs::fetch::place_path;
use crate::data::resize::crop::Crop;
use crate::experiment::key::digest_file;
use crate::experiment::scoring::feature_space::Input;
use crate::experiment::scoring::preset::Preset;
use crate::jobs::context::{Progress, Stopped};
use crate::run::device::{Named, devices};
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::reference::{Order, run as make};
use crate::stages::describe::reference_images::{self, ImagesOrder};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(args: &ReferenceArgs, store: &Path) -> Result<u8> {
    let args = &ReferenceArgs {
        weights: place_path(&args.weights, &args.cache)?,
        ..args.clone()
    };
    let device = devices(args.device.as_deref())?.swap_remove(0);
    let extractor = digest_file(&args.weights).context("--weights")?;
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")?;
    let started = Instant::now();
    let live = Live::start();
    let tell = |progress: Progress| {
        let Progress {
            done, total, unit, ..
        } = progress;
        live.set(format!("{} / {} {unit}", thousands(done), thousands(total)));
    };
    let net = Extractor::open(&args.weights, None, &device.device)?;
    let made = match net.space().input {
        Input::Resized { .. } => by_published_net(args, &net, &extractor, store, &tell),
        Input::AsTrained => by_own_net(args, &extractor, &device, &tell),
    };
    drop(live);
    match made {
        Err(error) if error.is::<Stopped>() => Ok(130),
        Err(error) => Err(error),
        Ok(()) => {
            let took = duration(started.elapsed().as_secs_f64());
            say(&format!("wrote {} in {took}", args.out.display()));
            Ok(0)
        }
    }
}

/// Image files as they are, or cropped.
fn by_published_net(
    args: &ReferenceArgs,
    net: &Extractor,
    weights: &str,
    store: &Path,
    tell: &dyn Fn(Progress),
) -> Result<()> {
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
        out: &args.out,
    };
    reference_images::run(&order, tell, &STOP)
}

/// Images of one size, from any data that nets are trained on.
fn by_own_net(
    args: &ReferenceArgs,
    extractor: &str,
    device: &Named,
    tell: &dyn Fn(Progress),
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
        weights: &args.weights,
        extractor,
        out: &args.out,
    };
    make(&order, &device.device, tell, &STOP)
}
