//! Calls of a program that makes images of one batch, and what is taken of each.

use crate::experiment::key::Key;
use crate::jobs::context::{JobContext, Progress, Stopped};
use crate::jobs::external::sample::CommandSampleJob;
use crate::jobs::external::train::CHECKPOINT;
use crate::stages::external::call::{Call, absolute, fresh, remove, tried};
use crate::stages::external::collect::{Collected, collect, seen};
use crate::stages::external::labels::labels;
use crate::stages::external::record::Record;
use crate::stages::external::take::{Asked, Found, take};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const KEY: &str = "sample.command";
/// The folder that a call writes to.
pub const MADE: &str = "made";
/// In it, once a call has ended well: what it made may be taken, now or by a later run.
const WHOLE: &str = ".runner-whole";
/// How long the images that a call has made so far are not counted again.
const LOOK: Duration = Duration::from_secs(2);

/// A program that makes images of one batch.
pub struct Sampling<'a> {
    pub job: &'a CommandSampleJob,
    pub context: &'a JobContext<'a>,
    record: Record,
}

impl<'a> Sampling<'a> {
    /// Nothing is run yet.
    ///
    /// # Errors
    /// A record of earlier calls that cannot be read.
    pub fn open(job: &'a CommandSampleJob, context: &'a JobContext) -> Result<Self> {
        Ok(Sampling {
            job,
            context,
            record: Record::open(context)?,
        })
    }

    /// Images `range`: what an earlier run made whole and did not take, or what the program makes now.
    pub fn make(&mut self, range: &Range<u64>) -> Result<()> {
        let folder = self.context.out.join(MADE);
        if is_whole(&folder, range) {
            match self.take(&folder, range) {
                Err(error) if !error.is::<Stopped>() => {
                    self.context.log(&format!(
                        "what an earlier run made is made again: {error:#}"
                    ));
                }
                taken => return taken,
            }
        }
        let (program, context) = (&self.job.program, self.context);
        tried(program, context, &mut || {
            let mut call = Call::new(KEY, program, context)?;
            let folder = fresh(context, MADE)?;
            if let Err(error) = self.run(&mut call, &folder, range) {
                // Half of what was asked for is of no use, and may fill the disk.
                remove(&folder)?;
                return Err(error);
            }
            fs::write(folder.join(WHOLE), written(range))
                .with_context(|| format!("writing in {}", folder.display()))?;
            self.take(&folder, range)
        })
    }

    /// One call that writes images `range` to `folder`.
    pub fn run(&mut self, call: &mut Call, folder: &Path, range: &Range<u64>) -> Result<()> {
        let (images, context) = (&self.job.images, self.context);
        let (count, total) = (range.end - range.start, images.count as u64);
        let part = images.part as u64;
        call.set("out", absolute(folder)?);
        call.set("count", count.to_string());
        call.set("first", range.start.to_string());
        call.set("last", (range.end - 1).to_string());
        call.set("shard", (range.start / part).to_string());
        call.set("shards", total.div_ceil(part).to_string());
        call.set("seed", images.seed.to_string());
        if let Some(training) = &self.job.training {
            call.set("train", absolute(&made_by(context, training))?);
        }
        let pattern = images.collect.as_deref();
        let mut next = Instant::now();
        let mut tick = || {
            if Instant::now() < next {
                return;
            }
            let looked = Instant::now();
            let there = (seen(folder, pattern) as u64).min(count);
            context.tell(Progress {
                done: (range.start + there).min(total),
                total,
                unit: "images",
                note: String::new(),
            });
            // Looking at many files takes time, which the program should have.
            next = Instant::now() + LOOK.max(20 * looked.elapsed());
        };
        let finished = call.run(&mut tick)?;
        self.record.add(call, &finished)
    }

    /// Takes what `folder` holds as images `range`.
    fn take(&self, folder: &Path, range: &Range<u64>) -> Result<()> {
        let images = &self.job.images;
        let collected = self.collected(folder)?;
        let (gallery, order) = (collected.gallery, collected.order);
        let wanted = (range.end - range.start) as usize;
        ensure!(
            gallery.len() >= wanted,
            "{KEY} ended well and made {} images, {wanted} were asked for\nhint: a command that gets {{count}} must make so many, or sample.count be what it makes",
            gallery.len()
        );
        if gallery.len() > wanted {
            self.context.warn(&format!(
                "{KEY} made {} images where {wanted} were asked for; the first {wanted} were taken",
                gallery.len()
            ));
        }
        let asked = Asked {
            size: images.size,
            labels: self.job.needs_labels,
            total: images.count as u64,
        };
        let labels = labels(folder, &gallery, &order)?;
        let found = Found {
            gallery: &gallery,
            order: &order,
            labels: labels.as_deref(),
            from: 0,
        };
        take(&found, range.clone(), &asked, self.context)
    }

    /// The images in `folder`; what is to be said of them is said.
    pub fn collected(&self, folder: &Path) -> Result<Collected> {
        let collected = collect(folder, self.job.images.collect.as_deref()).context(KEY)?;
        for remark in &collected.remarks {
            self.context.warn(remark);
        }
        Ok(collected)
    }
}

/// The folder that a training made, by command or by a net of ours.
fn made_by(context: &JobContext, training: &Key) -> PathBuf {
    let folder = context.input(training);
    let made = folder.join(CHECKPOINT);
    if made.is_dir() { made } else { folder }
}

/// Whether a call for `range` ended well there and what it made was not taken yet.
pub fn is_whole(folder: &Path, range: &Range<u64>) -> bool {
    fs::read_to_string(folder.join(WHOLE)).is_ok_and(|text| text == written(range))
}

fn written(range: &Range<u64>) -> String {
    format!("{}..{}", range.start, range.end)
}
