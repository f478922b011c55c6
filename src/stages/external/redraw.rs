//! Whether image i depends on i and the seed alone, as a command promises that uses `{first}`: two images are made again
//! in another batch and compared.

use crate::data::gallery::Gallery;
use crate::io::disk::{read_json, write_json};
use crate::io::image::file::Rgb8;
use crate::jobs::files::parts;
use crate::stages::external::call::{Call, fresh, remove, tried};
use crate::stages::external::collect::Collected;
use crate::stages::external::sampling::Sampling;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The folder of the second batch.
pub const REDRAWN: &str = "redrawn";
/// What came of it.
const RESULT: &str = "redraw.json";

/// The largest mean difference, in 8-bit levels, of an image from itself in another batch: a GPU adds in another order
/// there, and the last bits of many steps move a few pixels by a few levels. Two images differ by tens.
const LARGEST: f64 = 2.0;

/// How far images made again are from those that are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redrawn {
    /// Index of the first.
    pub first: u64,
    pub count: u64,
    /// Mean and largest difference in 8-bit levels.
    pub mean: f64,
    pub largest: u8,
}

/// Makes two images of `range`, which is stored, again, unless it was done before.
///
/// # Errors
/// Where the program fails, or its images depend on their batch.
pub fn check(sampling: &mut Sampling, range: &Range<u64>) -> Result<()> {
    let context = sampling.context;
    if read_json::<Redrawn>(&context.out.join(RESULT)).is_ok() {
        return Ok(());
    }
    let first = range.start + (range.end - range.start) / 2;
    // A batch of one is drawn with the next, so that its batch is another.
    let again = first..if range.end - range.start == 1 {
        first + 2
    } else {
        (first + 2).min(range.end)
    };
    let stored = again.start..again.end.min(range.end);
    let images = tried(&sampling.job.program, context, &mut || {
        let mut call = Call::new("sample.command", &sampling.job.program, context)?;
        let folder = fresh(context, REDRAWN)?;
        sampling.run(&mut call, &folder, &again)?;
        let Collected { gallery, order, .. } = sampling.collected(&folder)?;
        let count = (stored.end - stored.start) as usize;
        ensure!(
            gallery.len() >= count,
            "asked for images {}..{} again, sample.command made {}",
            again.start,
            again.end,
            gallery.len()
        );
        (0..count)
            .map(|i| gallery.read(order[i]))
            .collect::<Result<Vec<Rgb8>>>()
    })?;
    let found = compared(sampling, &stored, &images)?;
    remove(&context.out.join(REDRAWN))?;
    if found.mean > LARGEST {
        // Images that depend on their batch must not stay, whatever happens next.
        for part in parts::present(&context.out, "images")? {
            std::fs::remove_file(&part.path)
                .with_context(|| format!("removing {}", part.path.display()))?;
        }
    }
    ensure!(
        found.mean <= LARGEST,
        "sample.command uses {{first}}, and its images depend on more than their index and the seed: images {}..{}, made again in another batch, differ by {:.1} of 255 levels in the mean\nhint: draw the noise of image i from (seed, i), or take {{first}} out of the command; all images are then made by one call",
        stored.start,
        stored.end,
        found.mean
    );
    write_json(&context.out.join(RESULT), &found)
}

fn compared(sampling: &Sampling, stored: &Range<u64>, again: &[Rgb8]) -> Result<Redrawn> {
    let parts = parts::present(&sampling.context.out, "images")?;
    let part = parts.iter().find(|part| part.range.contains(&stored.start));
    let part = part.context("the images that were made again are not stored")?;
    let gallery = Gallery::open(&[part.path.to_string_lossy()])?;
    let (mut sum, mut values, mut largest) = (0u64, 0u64, 0u8);
    for (n, image) in again.iter().enumerate() {
        let i = stored.start + n as u64 - part.range.start;
        if i as usize >= gallery.len() {
            break;
        }
        let before = gallery.read(i as usize)?;
        ensure!(
            (before.w, before.h) == (image.w, image.h),
            "image {}, made again, has {} by {} pixels where it had {} by {}",
            stored.start + n as u64,
            image.w,
            image.h,
            before.w,
            before.h
        );
        for (a, b) in before.data.iter().zip(&image.data) {
            let apart = a.abs_diff(*b);
            (sum, values, largest) = (sum + u64::from(apart), values + 1, largest.max(apart));
        }
    }
    Ok(Redrawn {
        first: stored.start,
        count: again.len() as u64,
        mean: sum as f64 / values.max(1) as f64,
        largest,
    })
}
