//! `runner reconstruct`: real images to their noise and back by DDIM, and images between two of them.

use crate::cli::cache::place_path;
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{out, say, table, thousands, warning};
use crate::cli::verbs::ask::args::{KEPT, QuestionArgs};
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::io::disk::write_atomic;
use crate::jobs::context::{Progress, Watch};
use crate::report::grids::mosaic::in_rows;
use crate::report::grids::samples::Images;
use crate::run::device::named::devices;
use crate::stages::ask::denoiser_on_images::DenoiserOnImages;
use crate::stages::ask::inversion::{Inversion, between, invert};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner reconstruct experiments/shapes/unet16.safetensors shapes --count 100 --steps 10 --steps 50 --out rebuilt
  runner reconstruct experiments/shapes/unet16.safetensors shapes --count 20 --steps 50 --interpolate 9 --out between")]
pub struct ReconstructArgs {
    #[command(flatten)]
    pub question: QuestionArgs,
    /// Steps each way: a count, or ADM's `ddim25`; may be repeated for one row each
    #[arg(long, value_name = "STEPS", required = true)]
    pub steps: Vec<String>,
    /// Interpolate each pair of the first 20 images in K images, ends included, with the last of the steps
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub interpolate: Option<u32>,
    /// The folder for `reconstruction.png` (the first 10 images above what came back of them) and `interpolation.png`
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// One JSON object per row on stdout
    #[arg(long)]
    pub json: bool,
}

/// Images of a row of the sheet.
const COLUMNS: u64 = 10;

pub fn run(args: &ReconstructArgs, store: &Path) -> Result<u8> {
    let asked = &args.question;
    let checkpoint = place_path(&asked.checkpoint, &asked.cache)?;
    let device = devices(asked.device.as_deref())?.swap_remove(0);
    let question = asked.question(&checkpoint, store);
    let subject = DenoiserOnImages::open(&question, &device.device)?;
    subject.remarks().iter().for_each(|remark| warning(remark));
    for steps in &args.steps {
        subject.schedule(steps)?;
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let stop = until_stopped("step")?;
    let live = Live::start();
    let found = find(args, &subject, &live, stop);
    drop(live);
    let Some((found, path)) = unless_stopped(found, KEPT)? else {
        return Ok(INTERRUPTED);
    };
    rows(args, &subject, &found)?;
    let columns = subject.count.min(COLUMNS) as usize;
    let each = 3 * subject.side * subject.side;
    let real = subject.images(&(0..columns as u64).collect::<Vec<_>>())?;
    let mut sheet = real.flatten_all()?.to_vec1::<f32>()?;
    for inversion in &found {
        sheet.extend_from_slice(&inversion.shown[..columns * each]);
    }
    let to = args.out.join("reconstruction.png");
    draw(&to, &subject, &sheet, columns)?;
    if let (Some(images), Some(along)) = (path, args.interpolate) {
        let to = args.out.join("interpolation.png");
        draw(&to, &subject, &images, along as usize)?;
    }
    Ok(0)
}

/// An inversion for each of the steps, and the images between, where they are asked for.
fn find(
    args: &ReconstructArgs,
    subject: &DenoiserOnImages,
    live: &Live,
    stop: &AtomicBool,
) -> Result<(Vec<Inversion>, Option<Vec<f32>>)> {
    let set = |steps: &str, progress: Progress| {
        let (done, total) = (thousands(progress.done), thousands(progress.total));
        live.set(format!("{done} / {total} {} by {steps}", progress.unit));
    };
    let warn = &warning;
    let mut found = Vec::new();
    for steps in &args.steps {
        let tell = &|progress| set(steps, progress);
        found.push(invert(subject, steps, Watch { tell, warn, stop })?);
    }
    let path = match (args.interpolate, found.last(), args.steps.last()) {
        (Some(along), Some(last), Some(steps)) => {
            let tell = &|progress| set(steps, progress);
            let watch = Watch { tell, warn, stop };
            Some(between(subject, steps, last, along as usize, watch)?)
        }
        _ => None,
    };
    Ok((found, path))
}

/// A row for each of the steps, on stdout.
fn rows(args: &ReconstructArgs, subject: &DenoiserOnImages, found: &[Inversion]) -> Result<()> {
    let head = ["steps", "error a dimension", "interval", "PSNR"];
    let mut lines = vec![head.map(String::from).to_vec()];
    for (asked, inversion) in args.steps.iter().zip(found) {
        let Inversion {
            steps,
            error,
            interval: (low, high),
            ..
        } = inversion;
        let decibels = -10.0 * error.log10();
        if args.json {
            let line = json!({
                "checkpoint": args.question.checkpoint, "data": args.question.data, "count": subject.count,
                "asked": asked, "steps": steps, "error": error, "low": low, "high": high, "psnr": decibels,
            });
            out(&line.to_string())?;
        }
        lines.push(vec![
            // As the user wrote it: `25` and `ddim25` have equal counts and are different steps.
            asked.clone(),
            format!("{error:.6}"),
            format!("[{low:.6}, {high:.6}]"),
            format!("{decibels:.1} dB"),
        ]);
    }
    if !args.json {
        out(&table(&lines, &[true, true, false, true]))?;
        say(&format!(
            "squared error of images in [0, 1], {} images; interval = 95 % bootstrap over images",
            thousands(subject.count)
        ));
    }
    Ok(())
}

/// f32 [n, 3, side, side] in [-1, 1] as a PNG, `columns` a row; levels are rounded, so that what came back whole looks so.
fn draw(path: &Path, subject: &DenoiserOnImages, values: &[f32], columns: usize) -> Result<()> {
    let area = subject.side * subject.side;
    let level = |v: f32| ((v.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8;
    let pixels = values.chunks_exact(3 * area).flat_map(|image| {
        (0..area).flat_map(move |p| (0..3).map(move |c| level(image[c * area + p])))
    });
    let images = Images {
        count: values.len() / (3 * area),
        height: subject.side,
        width: subject.side,
        pixels: pixels.collect(),
    };
    let png = in_rows(&images, columns)?;
    write_atomic(path, |file| Ok(file.write_all(&png)?))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
