//! `runner reference`: a data set to the npz that samples are measured against.

use crate::cli::args::ReferenceArgs;
use crate::cli::board::bar;
use crate::cli::terminal::{duration, say, thousands};
use crate::run::device::devices;
use crate::spec::key::digest_file;
use crate::stages::bench::{Progress, Stopped};
use crate::stages::reference::{Order, run as make};
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(args: &ReferenceArgs) -> Result<u8> {
    let device = devices(args.device.as_deref())?.swap_remove(0);
    let extractor = digest_file(&args.weights).context("--weights")?;
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")?;
    let order = Order {
        data: &args.data,
        resolution: args.resolution as usize,
        count: args.count as usize,
        weights: &args.weights,
        extractor: &extractor,
        out: &args.out,
    };
    let started = Instant::now();
    let bar = bar();
    let tell = |progress: Progress| {
        let Progress {
            done, total, unit, ..
        } = progress;
        bar.set_message(format!("{} / {} {unit}", thousands(done), thousands(total)));
    };
    let made = make(&order, &device.device, &tell, &STOP);
    bar.finish_and_clear();
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
