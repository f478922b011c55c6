//! Numbers by a program, from a cell's images.

use crate::data::gallery::Gallery;
use crate::io::disk::write_json;
use crate::io::image::file::write_png;
use crate::jobs::context::{JobContext, Progress};
use crate::jobs::external::measure::CommandMetricsJob;
use crate::jobs::files::export::export;
use crate::jobs::files::parts;
use crate::jobs::files::results::SCORES;
use crate::metrics::score::Score;
use crate::stages::external::call::{Call, absolute, fresh, remove, tried};
use crate::stages::external::record::Record;
use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

const KEY: &str = "eval.command";
/// The folder that the program may write to.
const OUT: &str = "made";
/// The file in it that holds the numbers.
const NUMBERS: &str = "metrics.json";
/// The images as PNG files.
const PICTURES: &str = "pictures";
/// The images as one array file.
const BATCH: &str = "batch.npz";

/// Runs the program on the images and keeps its numbers as `scores.json`.
///
/// # Errors
/// Where it fails, or prints no numbers.
pub fn run(job: &CommandMetricsJob, context: &JobContext) -> Result<()> {
    let mut record = Record::open(context)?;
    let samples = context.input(&job.samples);
    let scores = tried(&job.program, context, &mut || {
        let mut call = Call::new(KEY, &job.program, context)?;
        let out = fresh(context, OUT)?;
        call.set("out", absolute(&out)?);
        call.set("count", job.count.to_string());
        if call.uses("images") {
            let folder = fresh(context, PICTURES)?;
            pictures(&samples, job.count, &folder, context)?;
            call.set("images", absolute(&folder)?);
        }
        if call.uses("npz") {
            let path = context.out.join(BATCH);
            export(&samples, job.count as u64, &path)?;
            call.set("npz", absolute(&path)?);
        }
        let finished = call.run(&mut || {})?;
        record.add(&call, &finished)?;
        numbers(&out, finished.last_line_of_stdout.as_deref(), job.count)
    })?;
    write_json(&context.out.join(SCORES), &scores)?;
    for folder in [OUT, PICTURES] {
        remove(&context.out.join(folder))?;
    }
    let _ = fs::remove_file(context.out.join(BATCH));
    Ok(())
}

/// Images 0..count as `000000.png` and so on.
fn pictures(samples: &Path, count: usize, folder: &Path, context: &JobContext) -> Result<()> {
    let parts = parts::covering(&parts::present(samples, "images")?, count as u64)?;
    for (part, take) in parts {
        context.go_on()?;
        let gallery = Gallery::open(&[part.path.to_string_lossy()])?;
        take.into_par_iter().try_for_each(|i| {
            let image = gallery.read(i)?;
            let name = format!("{:06}.png", part.range.start as usize + i);
            write_png(&folder.join(name), &image.data, image.w, image.h)
        })?;
        context.tell(Progress {
            done: part.range.end.min(count as u64),
            total: count as u64,
            unit: "images",
            note: "written for the command".to_string(),
        });
    }
    Ok(())
}

/// The numbers that a program gave: a JSON object in `metrics.json`, or on the last line of its output. `NAME_low` and
/// `NAME_high` are the interval of NAME.
fn numbers(out: &Path, last_line: Option<&str>, count: usize) -> Result<Vec<Score>> {
    let path = out.join(NUMBERS);
    let (place, text) = if path.is_file() {
        let text = fs::read_to_string(&path).with_context(|| format!("reading {NUMBERS}"))?;
        (NUMBERS, text)
    } else {
        (
            "the last line of its output",
            last_line.unwrap_or_default().to_string(),
        )
    };
    let object: Map<String, Value> = serde_json::from_str(&text).with_context(|| {
        format!(
            "{KEY} ended well, and {place} is no JSON object of names and numbers: `{}`\nhint: print one such as {{\"clip_score\": 0.31}} as the last line, or write it to {{out}}/{NUMBERS}",
            text.trim()
        )
    })?;
    let number = |name: &str| {
        let value = object.get(name)?;
        Some(
            value
                .as_f64()
                .with_context(|| format!("{KEY}: `{name}` is {value}, not a number")),
        )
    };
    let mut scores = Vec::new();
    for name in object.keys() {
        let bound_of = name.strip_suffix("_low").or(name.strip_suffix("_high"));
        if bound_of.is_some_and(|metric| object.contains_key(metric)) {
            continue;
        }
        let Some(value) = number(name).transpose()? else {
            continue;
        };
        let bound = |end: &str| number(&format!("{name}_{end}")).transpose();
        scores.push(match (bound("low")?, bound("high")?) {
            (Some(low), Some(high)) => {
                ensure!(
                    low <= value && value <= high,
                    "{KEY}: `{name}` = {value} is outside of its own interval, {low} to {high}"
                );
                Score::new(name, value, (low, high), count)
            }
            (None, None) => Score::bare(name, value, count),
            _ => bail!("{KEY}: `{name}` has one end of an interval, and not the other"),
        });
    }
    ensure!(!scores.is_empty(), "{KEY}: {place} holds no number");
    Ok(scores)
}
