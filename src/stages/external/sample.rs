//! A program's images, made by as many calls as are missing and taken into the store.

use crate::jobs::context::JobContext;
use crate::jobs::external::sample::CommandSampleJob;
use crate::jobs::files::parts;
use crate::stages::external::call::remove;
use crate::stages::external::collect::COLLECTED;
use crate::stages::external::redraw;
use crate::stages::external::sampling::{MADE, Sampling, is_whole};
use anyhow::{Context, Result};
use std::fs;

/// Makes what is missing of images 0..count.
///
/// # Errors
/// Where the program fails, or what it made is not what was asked for.
pub fn run(job: &CommandSampleJob, context: &JobContext) -> Result<()> {
    let mut sampling = Sampling::open(job, context)?;
    if job.elastic {
        ranges(&mut sampling)?;
    } else {
        whole(&mut sampling)?;
    }
    for folder in [MADE, COLLECTED, redraw::REDRAWN] {
        remove(&context.out.join(folder))?;
    }
    Ok(())
}

/// Calls for each range of images that is missing.
fn ranges(sampling: &mut Sampling) -> Result<()> {
    let (images, context) = (&sampling.job.images, sampling.context);
    let (count, part) = (images.count as u64, images.part as u64);
    let present = parts::present(&context.out, "images")?;
    if let Some(first) = present.first() {
        // A run that was killed may have stored images and not come to the check.
        redraw::check(sampling, &first.range)?;
    }
    for range in parts::missing(&present, count, part) {
        context.go_on()?;
        sampling.make(&range)?;
        redraw::check(sampling, &range)?;
    }
    Ok(())
}

/// One call for all of them: images of several calls need not belong together.
fn whole(sampling: &mut Sampling) -> Result<()> {
    let (count, out) = (sampling.job.images.count as u64, &sampling.context.out);
    let present = parts::present(out, "images")?;
    if parts::missing(&present, count, count).is_empty() {
        return Ok(());
    }
    if !is_whole(&out.join(MADE), &(0..count)) {
        // Parts of a call whose output is gone cannot be completed.
        for part in present {
            fs::remove_file(&part.path)
                .with_context(|| format!("removing {}", part.path.display()))?;
        }
    }
    sampling.make(&(0..count))
}
