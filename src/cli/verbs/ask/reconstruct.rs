//! `runner reconstruct`: real images to their noise and back by DDIM, and images between two of them.

use crate::cli::args::ReconstructArgs;
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{out, say, table, thousands};
use crate::cli::verbs::fetch::place_path;
use crate::io::disk::write_atomic;
use crate::jobs::context::{Progress, Stopped};
use crate::report::grids::mosaic::in_rows;
use crate::report::grids::samples::Images;
use crate::run::device::devices;
use crate::stages::ask::inversion::{Inversion, between, invert};
use crate::stages::ask::subject::Subject;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
/// Images of a row of the sheet.
const COLUMNS: u64 = 10;

pub fn run(args: &ReconstructArgs, store: &Path) -> Result<u8> {
    let asked = &args.question;
    let checkpoint = place_path(&asked.checkpoint, &asked.cache)?;
    let device = devices(asked.device.as_deref())?.swap_remove(0);
    let question = asked.question(&checkpoint, store);
    let subject = Subject::open(&question, &device.device)?;
    for steps in &args.steps {
        subject.schedule(steps)?;
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")?;
    let live = Live::start();
    let tell = |steps: &str, progress: Progress| {
        let (done, total) = (thousands(progress.done), thousands(progress.total));
        live.set(format!("{done} / {total} {} by {steps}", progress.unit));
    };
    let find = || {
        let mut found = Vec::new();
        for steps in &args.steps {
            found.push(invert(&subject, steps, &|p| tell(steps, p), &STOP)?);
        }
        let path = match (args.interpolate, found.last(), args.steps.last()) {
            (Some(along), Some(last), Some(steps)) => {
                let tell = |p| tell(steps, p);
                Some(between(
                    &subject,
                    steps,
                    last,
                    along as usize,
                    &tell,
                    &STOP,
                )?)
            }
            _ => None,
        };
        Ok((found, path))
    };
    let found: Result<(Vec<Inversion>, Option<Vec<f32>>)> = find();
    drop(live);
    let (found, path) = match found {
        Err(error) if error.is::<Stopped>() => {
            say("stopped; what is whole is kept\nto go on, run the same command again");
            return Ok(130);
        }
        found => found?,
    };
    rows(args, &subject, &found)?;
    let columns = subject.count.min(COLUMNS) as usize;
    let each = 3 * subject.side * subject.side;
    let real = subject.images(&(0..columns as u64).collect::<Vec<_>>())?;
    let mut sheet = real.flatten_all()?.to_vec1::<f32>()?;
    for inversion in &found {
        sheet.extend_from_slice(&inversion.shown[..columns * each]);
    }
    draw(
        &args.out.join("reconstruction.png"),
        &subject,
        &sheet,
        columns,
    )?;
    if let (Some(images), Some(along)) = (path, args.interpolate) {
        let to = args.out.join("interpolation.png");
        draw(&to, &subject, &images, along as usize)?;
    }
    Ok(0)
}

/// A row for each of the steps, on stdout.
fn rows(args: &ReconstructArgs, subject: &Subject, found: &[Inversion]) -> Result<()> {
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
            // As it was asked: `25` and `ddim25` keep other steps.
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
fn draw(path: &Path, subject: &Subject, values: &[f32], columns: usize) -> Result<()> {
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
