//! Features and a reference to `scores.json`: for a published network the numbers that `runner score` gives by the same
//! preset, for a net trained here those of its own rules. What each image adds to a number goes to `influences.npz`, for
//! differences between cells.

use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::rules::Rules;
use crate::io::disk::write_json;
use crate::io::numpy::npz::{self, Array};
use crate::io::statistics::Which;
use crate::jobs::context::{JobContext, Progress, Watch};
use crate::jobs::files::parts;
use crate::jobs::files::results::{FEW, INFLUENCES, RECORD, Record, SCORES};
use crate::jobs::metrics::MetricsJob;
use crate::metrics::score::Score;
use crate::stages::describe::described::{Described, PART};
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::images::{self, Order, Share};
use crate::stages::score::measured::{Measured, Number};
use crate::stages::score::reference::{Opened, Real};
use crate::stages::score::scorer::Scorer;
use crate::stages::score::sides;
use anyhow::{Context, Result, bail, ensure};
use std::cell::Cell;
use std::sync::Arc;

/// Scores the first `count` images.
pub fn run(job: &MetricsJob, context: &JobContext) -> Result<()> {
    let features = parts::present(&context.input(&job.features), "features")?;
    let samples = Described::pieces(parts::covering(&features, job.count as u64)?);
    let published = job.space().is_published();
    let all = job.space().rules(job.preset);
    let real = reference(job, &all.only(&job.metrics), context)?;
    check(job, &samples, &real)?;
    if published {
        for finding in sides::findings(&samples, &real, &|i| format!("image {i}"))? {
            context.warn(&finding.to_string());
        }
    }
    let mut asked = job.metrics.clone();
    if real.gaussian.is_some() && asked.contains(&Metric::Fd) {
        asked.push(Metric::GaussianFd);
    }
    let rules = all.only(&asked);
    let done = Cell::new(0);
    let tell = |name: &str| {
        context.tell(Progress {
            done: done.replace(done.get() + 1),
            total: rules.metrics.len() as u64,
            unit: "metrics",
            note: name.to_string(),
        });
    };
    let measured = Scorer::new(&samples, &real).measure(&rules, &tell)?;
    let numbers = in_order(job, &asked, &measured)?;
    if published {
        let record = record(job, &samples, &real, &numbers);
        warn(&record, context);
        write_json(&context.out.join(RECORD), &record)?;
    } else {
        warn_of_rank(&samples, &real, context);
    }
    let scores: Vec<&Score> = numbers.iter().map(|number| &number.score).collect();
    let line = |s: &&Score| format!("{} {:.4} [{:.4}, {:.4}]", s.metric, s.value, s.low, s.high);
    context.log(&scores.iter().map(line).collect::<Vec<_>>().join("  "));
    npz::write(&context.out.join(INFLUENCES), &influences(&numbers))?;
    write_json(&context.out.join(SCORES), &scores)
}

/// The reference as the rules' tool sees it; its images go through the net only where the rules ask for them.
fn reference(job: &MetricsJob, rules: &Rules, context: &JobContext) -> Result<Real> {
    let (path, weights, space) = (&job.reference.path, &job.weights.digest, job.space());
    let how = rules.preprocessing;
    let opened = Opened::open(path, Which::default(), weights, &[space.resizing(how)])?;
    let mut images = None;
    if opened.needs_images(&[*rules]) {
        ensure!(
            space.is_published(),
            "{} is no file of `runner reference`, which nets that were trained here are measured against",
            path.display()
        );
        let extractor = Extractor::open(&job.weights.path, None, &context.device)?;
        ensure!(
            extractor.space() == space,
            "eval.weights = \"{}\" holds another net than {}",
            job.weights.path.display(),
            space.net
        );
        let tell = |progress: Progress| {
            context.tell(Progress {
                note: "reference".to_string(),
                ..progress
            });
        };
        let watch = Watch {
            tell: &tell,
            warn: &|line| context.warn(line),
            stop: context.stop(),
        };
        let order = Order {
            gallery: Arc::new(images::open(
                &[path.display().to_string()],
                "reference",
                &watch,
            )?),
            extractor: &extractor,
            weights,
            preprocessings: &[how],
            mixed_sizes: rules.mixed_sizes,
            store: &context.store,
            part: PART,
            share: Share::Whole,
            claims: context.claims,
        };
        images = images::run(&order, watch)?;
    }
    let mut reals = opened.with(images.as_deref())?;
    reals.pop().context("the reference has one side")
}

/// A reference of another net, dimension or resolution measures nothing.
fn check(job: &MetricsJob, samples: &Described, real: &Real) -> Result<()> {
    let path = job.reference.path.display();
    let n = samples.len();
    ensure!(n >= 2, "a score needs at least 2 images, not {n}");
    sides::check(samples, real, &path.to_string())?;
    if job.space().is_published() {
        return Ok(());
    }
    let made = real.made.as_ref();
    let made = made.with_context(|| format!("{path} is not a reference of `runner reference`"))?;
    let (ours, theirs) = (samples.resolution()?, made.resolution);
    ensure!(
        ours == theirs,
        "{path} is of {theirs} pixels, the samples are of {ours}\nhint: eval.reference must be of the images' resolution"
    );
    Ok(())
}

/// The numbers in the order of `asked`; one that cannot be had fails the cell, with the reason.
fn in_order<'m>(
    job: &MetricsJob,
    asked: &[Metric],
    measured: &'m [Measured],
) -> Result<Vec<&'m Number>> {
    let mut numbers = Vec::new();
    for metric in asked {
        let id = metric.id();
        let Some(found) = measured.iter().find(|m| m.metric == *metric) else {
            bail!("preset `{}` has no {id}", job.preset)
        };
        match &found.number {
            Ok(number) => numbers.push(number),
            Err(why) => bail!(
                "{id} cannot be measured: {why}\nhint: take it out of eval.metrics, or name another eval.reference"
            ),
        }
    }
    Ok(numbers)
}

/// What each sample adds to the scores, by metric, where it is known.
fn influences<'m>(numbers: &[&'m Number]) -> Vec<(&'m str, Array)> {
    let of = |number: &&'m Number| {
        let influence = number.influence.as_ref()?;
        let array = Array::f64(&[influence.len()], influence.clone());
        Some((number.score.metric.as_str(), array))
    };
    numbers.iter().filter_map(of).collect()
}

fn record(job: &MetricsJob, samples: &Described, real: &Real, numbers: &[&Number]) -> Record {
    let bias = |n: &&Number| Some((n.score.metric.clone(), n.bias?));
    let digest = &job.weights.digest;
    Record {
        preset: job.preset.name().to_string(),
        about: job.preset.about().to_string(),
        preprocessing: job.preset.rules().preprocessing,
        weights: digest.clone(),
        published: job.space().published(digest).map(str::to_string),
        reference: job.reference.digest.clone(),
        reference_count: real.count,
        samples_count: samples.len(),
        bias: numbers.iter().filter_map(bias).collect(),
    }
}

fn warn(record: &Record, context: &JobContext) {
    if record.published.is_none() {
        context.warn(&format!(
            "the feature net (sha256 {}) is no published file whose digest is known; its numbers compare with no paper's",
            record.weights.get(..8).unwrap_or_default()
        ));
    }
    let biased: Vec<&str> = record.bias.iter().map(|(name, _)| name.as_str()).collect();
    if record.samples_count < FEW && !biased.is_empty() {
        context.warn(&format!(
            "{} samples: {} of few of them is biased upwards; compare equal counts only",
            record.samples_count,
            biased.join(" and ")
        ));
    }
}

/// Fewer images than features leave covariances singular.
fn warn_of_rank(samples: &Described, real: &Real, context: &JobContext) {
    let spatial = real.spatial.as_ref().map_or(0, |spatial| spatial.dim());
    let (n, widest) = (samples.len(), real.pool.dim().max(spatial));
    if n < widest {
        context.warn(&format!(
            "{n} images for {widest} features: distances are biased upward"
        ));
    }
}
