//! A checkpoint by a program. Its folder stays between tries, so that a program which can resume does.

use crate::jobs::context::{JobContext, Progress};
use crate::jobs::external::train::{CHECKPOINT, CommandTrainJob};
use crate::stages::external::call::{Call, absolute, tried};
use crate::stages::external::record::Record;
use anyhow::{Context, Result, ensure};
use std::fs;

const KEY: &str = "train.command";

/// Runs the program until its folder holds a checkpoint.
///
/// # Errors
/// Where it fails, or leaves its folder empty.
pub fn run(job: &CommandTrainJob, context: &JobContext) -> Result<()> {
    let folder = context.out.join(CHECKPOINT);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let mut record = Record::open(context)?;
    tried(&job.program, context, &mut || {
        let mut call = Call::new(KEY, &job.program, context)?;
        call.set("out", absolute(&folder)?);
        call.set("seed", job.seed.to_string());
        let mut seconds = 0;
        let mut tick = || {
            seconds += 1;
            context.tell(Progress {
                done: 0,
                total: 1,
                unit: "commands",
                note: format!("running for {seconds} s"),
            });
        };
        let finished = call.run(&mut tick)?;
        record.add(&call, &finished)?;
        let mut files = walkdir::WalkDir::new(&folder).into_iter().flatten();
        ensure!(
            files.any(|entry| entry.file_type().is_file()),
            "{KEY} ended well and left no file in {{out}}, {}",
            folder.display()
        );
        Ok(())
    })
}
