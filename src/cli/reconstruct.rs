//! `runner reconstruct`: real images to their noise and back by DDIM, and images between two of them.

use crate::cli::args::ReconstructArgs;
use crate::cli::board::bar;
use crate::cli::fetch::place_path;
use crate::cli::terminal::{out, say, table, thousands};
use crate::io::disk::write_atomic;
use crate::report::mosaic::{Images, in_rows};
use crate::run::device::devices;
use crate::stages::bench::{Progress, Stopped};
use crate::stages::inversion::{Inversion, between, invert};
use crate::stages::subject::Subject;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
/// Images of a row of the sheet, and pairs that are interpolated at most.
const SHOWN: u64 = 10;

pub fn run(args: &ReconstructArgs, store: &Path) -> Result<u8> {
    let asked = &args.question;
    let checkpoint = place_path(&asked.checkpoint, &asked.cache)?;
    let device = devices(asked.device.as_deref())?.swap_remove(0);
    let question = asked.question(&checkpoint, store);
    let subject = Subject::open(&question, &device.device)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")?;
    let bar = bar();
    let show = subject.count.min(2 * SHOWN);
    let mut found = Vec::new();
    for steps in &args.steps {
        let tell = |progress: Progress| {
            let (done, total) = (thousands(progress.done), thousands(progress.total));
            bar.set_message(format!("{done} / {total} {} by {steps}", progress.unit));
        };
        match invert(&subject, steps, show, &tell, &STOP) {
            Err(error) if error.is::<Stopped>() => {
                bar.finish_and_clear();
                say("stopped; what is whole is kept\nto go on, run the same command again");
                return Ok(130);
            }
            inversion => found.push(inversion?),
        }
    }
    bar.finish_and_clear();
    tell(args, &subject, &found)?;
    let columns = show.min(SHOWN) as usize;
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
    if let (Some(along), Some(last), Some(steps)) =
        (args.interpolate, found.last(), args.steps.last())
    {
        let (pairs, along) = (show as usize / 2, along as usize);
        let images = between(&subject, steps, &last.latents, pairs, along)?;
        draw(
            &args.out.join("interpolation.png"),
            &subject,
            &images,
            along,
        )?;
    }
    Ok(0)
}

fn tell(args: &ReconstructArgs, subject: &Subject, found: &[Inversion]) -> Result<()> {
    let head = ["steps", "error a dimension", "interval", "PSNR"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for Inversion {
        steps,
        error,
        interval: (low, high),
        ..
    } in found
    {
        let decibels = -10.0 * error.log10();
        if args.json {
            let line = json!({
                "checkpoint": args.question.checkpoint, "data": args.question.data, "count": subject.count,
                "steps": steps, "error": error, "low": low, "high": high, "psnr": decibels,
            });
            out(&line.to_string())?;
        }
        rows.push(vec![
            steps.to_string(),
            format!("{error:.6}"),
            format!("[{low:.6}, {high:.6}]"),
            format!("{decibels:.1} dB"),
        ]);
    }
    if !args.json {
        out(&table(&rows, &[true, true, false, true]))?;
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
