//! Inception's features and a reference to `scores.json`, by the rules of a published evaluator: the numbers of
//! `runner score`. What each image adds to a number goes to `influences.npz`, for differences between cells.

use crate::data::gallery::Gallery;
use crate::experiment::scoring::rules::{Quantity, Rules};
use crate::io::disk::write_json;
use crate::io::numpy::npz::{self, Array};
use crate::jobs::context::{JobContext, Progress, Watch};
use crate::jobs::files::parts;
use crate::jobs::files::results::INFLUENCES;
use crate::jobs::files::results::{FEW, RECORD, Record, SCORES};
use crate::jobs::metrics::MetricsJob;
use crate::metrics::score::Score;
use crate::stages::describe::described::{Described, PART};
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::images::{self, Order};
use crate::stages::describe::inception::published;
use crate::stages::score::reference::{Opened, Real};
use crate::stages::score::scorer::{Measured, Scorer};
use crate::stages::score::sides;
use anyhow::{Context, Result, bail, ensure};
use std::cell::Cell;
use std::sync::Arc;

/// Scores the first `count` images.
pub fn run(job: &MetricsJob, bench: &JobContext) -> Result<()> {
    let asked: Vec<Quantity> = job.metrics.iter().filter_map(|m| m.quantity()).collect();
    let rules = job.preset.rules().only(&asked);
    let features = parts::present(&bench.input(&job.features), "features")?;
    let samples = Described::pieces(parts::covering(&features, job.count as u64)?);
    let real = reference(job, &rules, bench)?;
    let name = job.reference.path.display().to_string();
    sides::check(&samples, &real, &name)?;
    for finding in sides::findings(&samples, &real, &|i| format!("image {i}"))? {
        bench.warn(&finding.to_string());
    }
    let done = Cell::new(0);
    let tell = |name: &str| {
        bench.tell(Progress {
            done: done.replace(done.get() + 1),
            total: rules.quantities.len() as u64,
            unit: "metrics",
            note: name.to_string(),
        });
    };
    let measured = Scorer::new(&samples, &real, false).measure(&rules, &tell)?;
    let record = record(job, &samples, &real, &measured);
    warn(&record, bench);
    let scores = in_order(job, &measured)?;
    let line = |s: &Score| format!("{} {:.4} [{:.4}, {:.4}]", s.metric, s.value, s.low, s.high);
    bench.log(&scores.iter().map(line).collect::<Vec<_>>().join("  "));
    npz::write(&bench.out.join(INFLUENCES), &influences(&measured, &scores))?;
    write_json(&bench.out.join(RECORD), &record)?;
    write_json(&bench.out.join(SCORES), &scores)
}

/// The reference as the preset's tool sees it; its images go through the net only where the rules ask for them.
fn reference(job: &MetricsJob, rules: &Rules, bench: &JobContext) -> Result<Real> {
    let (path, weights) = (&job.reference.path, &job.weights.digest);
    let how = rules.preprocessing;
    let opened = Opened::open(path, None, weights, &[Some(how)])?;
    let mut images = None;
    if opened.needs_images(&[*rules]) {
        let extractor = Extractor::open(&job.weights.path, None, &bench.device)?;
        ensure!(
            extractor.is_inception(),
            "eval.weights = \"{}\" holds another net than Inception",
            job.weights.path.display()
        );
        let order = Order {
            gallery: Arc::new(Gallery::open(&[path.display().to_string()])?),
            extractor: &extractor,
            weights,
            preprocessings: &[how],
            mixed_sizes: rules.mixed_sizes,
            store: &bench.store,
            part: PART,
            shard: (0, 1),
        };
        let tell = |progress: Progress| {
            bench.tell(Progress {
                note: "reference".to_string(),
                ..progress
            });
        };
        let watch = Watch {
            tell: &tell,
            warn: &|line| bench.warn(line),
            stop: bench.stop(),
        };
        images = images::run(&order, watch)?;
    }
    let mut reals = opened.with(images.as_deref())?;
    reals.pop().context("the reference has one side")
}

/// The scores in the order of the experiment file; one that cannot be had fails the cell, with the reason.
fn in_order(job: &MetricsJob, measured: &[Measured]) -> Result<Vec<Score>> {
    let mut scores = Vec::new();
    for metric in &job.metrics {
        let found = measured
            .iter()
            .find(|m| Some(m.quantity) == metric.quantity());
        let found = found.with_context(|| {
            let (metric, preset) = (metric.name(), job.preset);
            format!("preset `{preset}` has no {metric}")
        })?;
        match &found.score {
            Ok(score) => scores.push(score.clone()),
            Err(why) => bail!(
                "{} cannot be measured: {why}\nhint: take it out of eval.metrics, or name another eval.reference",
                metric.name()
            ),
        }
    }
    Ok(scores)
}

/// What each sample adds to the asked scores, by metric, where it is known.
fn influences<'m>(measured: &[Measured], scores: &'m [Score]) -> Vec<(&'m str, Array)> {
    let of = |score: &'m Score| {
        let named = |m: &&Measured| m.score.as_ref().is_ok_and(|s| s.metric == score.metric);
        let influence = measured.iter().find(named)?.influence.as_ref()?;
        let array = Array::f64(&[influence.len()], influence.clone());
        Some((score.metric.as_str(), array))
    };
    scores.iter().filter_map(of).collect()
}

fn record(job: &MetricsJob, samples: &Described, real: &Real, measured: &[Measured]) -> Record {
    let bias = |m: &Measured| Some((m.score.as_ref().ok()?.metric.clone(), m.bias?));
    Record {
        preset: job.preset.name().to_string(),
        about: job.preset.about().to_string(),
        preprocessing: job.preset.rules().preprocessing,
        weights: job.weights.digest.clone(),
        published: published(&job.weights.digest).map(str::to_string),
        reference: job.reference.digest.clone(),
        reference_count: real.count,
        samples_count: samples.len(),
        bias: measured.iter().filter_map(bias).collect(),
    }
}

fn warn(record: &Record, bench: &JobContext) {
    if record.published.is_none() {
        bench.warn(&format!(
            "the feature net (sha256 {}) is no published file whose digest is known; its numbers compare with no paper's",
            record.weights.get(..8).unwrap_or_default()
        ));
    }
    let biased: Vec<&str> = record.bias.iter().map(|(name, _)| name.as_str()).collect();
    if record.samples_count < FEW && !biased.is_empty() {
        bench.warn(&format!(
            "{} samples: {} of few of them is biased upwards; compare equal counts only",
            record.samples_count,
            biased.join(" and ")
        ));
    }
}
