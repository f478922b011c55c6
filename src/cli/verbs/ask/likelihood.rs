//! `runner likelihood`: bits per dimension of real images under a denoiser.

use crate::cli::cache::place_path;
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{out, say, table, thousands, warning};
use crate::cli::verbs::ask::args::{KEPT, QuestionArgs};
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::io::numpy::npz::{self, Array};
use crate::jobs::context::{Progress, Watch};
use crate::run::device::named::devices;
use crate::stages::ask::denoiser_on_images::DenoiserOnImages;
use crate::stages::ask::likelihood::{Likelihood, Term, likelihood};
use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_long_help = "\
This is the variational bound that guided-diffusion's image_nll computes. The result of each image is kept in the store:
to resume, or to add images, run the same command again.

Examples:
  runner likelihood experiments/shapes/unet16.safetensors shapes --count 200
  runner likelihood fetch:imagenet64 imagenet/val --preset imagenet64 --steps 1000 --out terms.npz")]
pub struct LikelihoodArgs {
    #[command(flatten)]
    pub question: QuestionArgs,
    /// Steps of the process: a count, or ADM's `ddim25` or `10,10,20`; fewer steps give the looser bound of the shorter
    /// process [default: all steps of the training]
    #[arg(long, value_name = "STEPS")]
    pub steps: Option<String>,
    /// Seed of the noise
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
    /// Write an npz with `vb_terms`, `mse_terms` and `xstart_mse_terms` (one value per step, the noisiest first) and
    /// `prior`, f64 means over images
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &LikelihoodArgs, store: &Path) -> Result<u8> {
    let asked = &args.question;
    let checkpoint = place_path(&asked.checkpoint, &asked.cache)?;
    let device = devices(asked.device.as_deref())?.swap_remove(0);
    let question = asked.question(&checkpoint, store);
    let subject = DenoiserOnImages::open(&question, &device.device)?;
    subject.remarks().iter().for_each(|remark| warning(remark));
    let all = subject.timesteps();
    let steps = args.steps.clone().unwrap_or(all.to_string());
    if let Some(path) = &args.out {
        within_a_folder(path)?;
    }
    let stop = until_stopped("step")?;
    let live = Live::start();
    let tell = |progress: Progress| {
        let (done, total) = (thousands(progress.done), thousands(progress.total));
        live.set(format!("{done} / {total} {}", progress.unit));
    };
    let watch = Watch {
        tell: &tell,
        warn: &warning,
        stop,
    };
    let found = likelihood(&subject, &steps, args.seed, watch);
    drop(live);
    let Some(found) = unless_stopped(found, KEPT)? else {
        return Ok(INTERRUPTED);
    };
    if let Some(path) = &args.out {
        write(path, &found)?;
    }
    let quarters = quarters(&found.terms, all);
    if args.json {
        let quarters = quarters.iter().map(|q| {
            json!({
                "from": q.from, "to": q.to, "steps": q.steps, "vb": q.vb, "mse": q.mse, "xstart_mse": q.xstart_mse,
            })
        });
        let column = |pick: fn(&Term) -> f64| found.terms.iter().map(pick).collect::<Vec<_>>();
        let terms = json!({
            "timestep": column(|t| t.timestep), "vb": column(|t| t.vb), "mse": column(|t| t.mse),
            "xstart_mse": column(|t| t.xstart_mse),
        });
        let line = json!({
            "checkpoint": checkpoint, "data": asked.data, "count": found.count, "steps": found.terms.len(),
            "timesteps": all, "seed": args.seed, "bits_per_dimension": found.bits, "low": found.interval.0,
            "high": found.interval.1, "prior": found.prior, "quarters": quarters.collect::<Vec<_>>(), "terms": terms,
        });
        out(&line.to_string())?;
    } else {
        print(&found, &quarters, all)?;
    }
    Ok(0)
}

/// A quarter of the process: the sum of its terms of the bound, and the means of its errors.
struct Quarter {
    from: usize,
    to: usize,
    steps: usize,
    vb: f64,
    mse: f64,
    xstart_mse: f64,
}

fn quarters(terms: &[Term], all: usize) -> Vec<Quarter> {
    let quarter = |q: usize| {
        let (from, to) = (all * q / 4, all * (q + 1) / 4);
        let inside = |t: &&Term| t.timestep >= from as f64 && t.timestep < to as f64;
        let inside: Vec<&Term> = terms.iter().filter(inside).collect();
        let sum = |pick: fn(&Term) -> f64| inside.iter().map(|t| pick(t)).sum::<f64>();
        let n = inside.len() as f64;
        Quarter {
            from,
            to,
            steps: inside.len(),
            vb: sum(|t| t.vb),
            mse: sum(|t| t.mse) / n,
            xstart_mse: sum(|t| t.xstart_mse) / n,
        }
    };
    (0..4).rev().map(quarter).collect()
}

fn print(found: &Likelihood, quarters: &[Quarter], all: usize) -> Result<()> {
    let (low, high) = found.interval;
    out(&format!(
        "bits per dimension  {:.4} [{low:.4}, {high:.4}]  of {} images, on {} of {all} steps",
        found.bits,
        thousands(found.count),
        found.terms.len()
    ))?;
    out(&format!("of it the prior's   {:.4}", found.prior))?;
    out("")?;
    let head = [
        "timesteps",
        "steps",
        "bits",
        "mse of the noise",
        "mse of x0",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for q in quarters {
        let mut row = vec![format!("{}..{}", q.from, q.to), q.steps.to_string()];
        row.extend(match q.steps {
            0 => ["-", "-", "-"].map(String::from),
            _ => [q.vb, q.mse, q.xstart_mse].map(|v| format!("{v:.4}")),
        });
        rows.push(row);
    }
    out(&table(&rows, &[false, true, true, true, true]))?;
    say(
        "[low, high] = 95 % bootstrap over images; the bound of Ho et al., x0 clamped, as image_nll has it",
    );
    Ok(())
}

/// Refuses a file that cannot be written, before hours are spent on what it is to hold.
fn within_a_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let there = folder.is_none_or(Path::is_dir) && !path.is_dir();
    ensure!(
        there,
        "--out {}: a file in a folder that exists is needed",
        path.display()
    );
    Ok(())
}

fn write(path: &Path, found: &Likelihood) -> Result<()> {
    let column = |pick: fn(&Term) -> f64| {
        let values: Vec<f64> = found.terms.iter().map(pick).collect();
        Array::f64(&[values.len()], values)
    };
    npz::write(
        path,
        &[
            ("vb_terms", column(|t| t.vb)),
            ("mse_terms", column(|t| t.mse)),
            ("xstart_mse_terms", column(|t| t.xstart_mse)),
            ("prior", Array::f64(&[1], vec![found.prior])),
        ],
    )?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
