//! What each stage is asked to make, and the key of what it makes. No tensor: a plan is made anywhere.

use crate::diffusion::process::respace::space_timesteps;
use crate::experiment::catalogue::SCHEME;
use crate::experiment::check::values::kept;
use crate::experiment::file::experiment::{
    Experiment, Guidance, Kind, Model, Precision, Sample, Steps, Train, Upsample,
};
use crate::experiment::grid::sweep::Cell;
use crate::experiment::key::Key;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::preset::{INCEPTION, Preset};
use crate::experiment::scoring::rules::Preprocessing;
use crate::jobs::inputs::pinned::{digest_data, pinned, pinned_reference};
use crate::jobs::inputs::{classes, upsampler};
use crate::jobs::keys;
use crate::stages::score::reference;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::path::PathBuf;

pub use crate::jobs::inputs::pinned::Pinned;

/// Folders of the store for what is asked without an experiment file, and the command that asks.
pub const ANSWERS: [(&str, &str); 4] = [
    ("described", "score"),
    ("likelihood", "likelihood"),
    ("inversion", "reconstruct"),
    ("interpolation", "reconstruct"),
];
/// The stages, which are folders of the store too, in the order in which they follow each other.
pub const STAGES: [&str; 5] = ["train", "sample", "upsample", "features", "metrics"];

/// Where a net's weights come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    File(Pinned),
    /// Of this train job: those after so many steps, or the last.
    Trained(Key, Option<u64>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    pub model: Model,
    pub weights: Weights,
}

/// Data → `model.safetensors`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainJob {
    pub model: Model,
    pub train: Train,
    /// None for a world made by rule, such as `shapes`.
    pub data_digest: Option<String>,
    /// `train.start_from`.
    pub start: Option<Pinned>,
}

/// Noise → `images-AAAAAA-BBBBBB.npz`.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleJob {
    pub net: Net,
    /// None when the scale is 0, so that such a cell shares the unguided images.
    pub guidance: Option<Pull>,
    pub sample: Sample,
}

/// A classifier, how much its gradient counts, and what it is calculated in.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    pub net: Net,
    pub scale: f64,
    pub dtype: Precision,
}

/// Images → larger images of the same names.
#[derive(Clone, Debug, PartialEq)]
pub struct UpsampleJob {
    pub net: Net,
    /// The stored images that it starts from, and their labels.
    pub samples: Key,
    /// How the large images are drawn: as many as of the small ones, from the same seed.
    pub sample: Sample,
}

/// Images → `features-AAAAAA-BBBBBB.npz`.
#[derive(Clone, Debug, PartialEq)]
pub struct FeaturesJob {
    pub samples: Key,
    pub count: usize,
    /// The name of the feature net's world, `shapes`.
    pub world: String,
    pub weights: Pinned,
    /// How images become Inception's input; nets of other worlds resize by themselves.
    pub preprocessing: Preprocessing,
}

/// Features and a reference → `scores.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsJob {
    pub features: Key,
    /// The first `count` images are scored.
    pub count: usize,
    /// The name of the feature net's world, `shapes`.
    pub world: String,
    /// The feature net, which a reference of ours must name too.
    pub weights: Pinned,
    pub reference: Pinned,
    /// Whose rules, in Inception's world.
    pub preset: Preset,
    pub metrics: Vec<Metric>,
}

/// One stage of one cell. A plan holds few, so their unequal sizes do not matter.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Job {
    Train(TrainJob),
    Sample(SampleJob),
    Upsample(UpsampleJob),
    Features(FeaturesJob),
    Metrics(MetricsJob),
}

/// What must be there for a job to be done, beyond its key: more of it never makes the rest again.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Wanted {
    /// Images 0..count; None where the result is one whole.
    pub count: Option<usize>,
    /// Copies outside the store.
    pub copies: Vec<PathBuf>,
}

impl Job {
    pub fn stage(&self) -> &'static str {
        match self {
            Job::Train(_) => STAGES[0],
            Job::Sample(_) => STAGES[1],
            Job::Upsample(_) => STAGES[2],
            Job::Features(_) => STAGES[3],
            Job::Metrics(_) => STAGES[4],
        }
    }

    /// The address of the result; the same on every machine.
    pub fn key(&self) -> Result<Key> {
        match self {
            Job::Train(job) => keys::train(job),
            Job::Sample(job) => keys::sample(job),
            Job::Upsample(job) => keys::upsample(job),
            Job::Features(job) => keys::features(job),
            Job::Metrics(job) => keys::metrics(job),
        }
    }

    pub fn version(&self) -> u32 {
        match self {
            Job::Train(_) => keys::TRAIN_VERSION,
            Job::Sample(_) => keys::SAMPLE_VERSION,
            Job::Upsample(_) => keys::UPSAMPLE_VERSION,
            Job::Features(_) => keys::FEATURES_VERSION,
            Job::Metrics(_) => keys::METRICS_VERSION,
        }
    }

    /// The stored results that this job reads.
    pub fn needs(&self) -> Vec<Key> {
        match self {
            Job::Train(_) => vec![],
            Job::Sample(job) => {
                let guide = job.guidance.iter().map(|pull| &pull.net);
                let nets = [&job.net].into_iter().chain(guide);
                let trained = nets.filter_map(|net| match &net.weights {
                    Weights::Trained(key, _) => Some(key.clone()),
                    Weights::File(_) => None,
                });
                trained.collect()
            }
            Job::Upsample(job) => vec![job.samples.clone()],
            Job::Features(job) => vec![job.samples.clone()],
            Job::Metrics(job) => vec![job.features.clone()],
        }
    }

    pub fn wanted(&self) -> Wanted {
        let count = match self {
            Job::Sample(job) => Some(job.sample.count),
            Job::Upsample(job) => Some(job.sample.count),
            Job::Features(job) => Some(job.count),
            Job::Train(_) | Job::Metrics(_) => None,
        };
        let copies = match self {
            Job::Train(job) => job.train.export.iter().cloned().collect(),
            _ => vec![],
        };
        Wanted { count, copies }
    }

    /// How much work the whole of it is: a number and what it counts.
    pub fn cost(&self) -> (f64, &'static str) {
        match self {
            Job::Train(job) => (job.train.steps as f64, "steps"),
            Job::Sample(SampleJob { sample, .. }) | Job::Upsample(UpsampleJob { sample, .. }) => {
                let steps = match &sample.steps {
                    Steps::Count(count) => *count,
                    Steps::Sections(text) => kept("sample", text).unwrap_or(1),
                };
                (sample.count as f64 * steps as f64, "evals")
            }
            Job::Features(job) => (job.count as f64, "images"),
            Job::Metrics(job) => (job.count as f64, "images"),
        }
    }

    /// The files outside the store that this job reads, with their digests.
    pub fn inputs(&self) -> Vec<Pinned> {
        let of_net = |net: &Net| match &net.weights {
            Weights::File(file) => vec![file.clone()],
            Weights::Trained(..) => vec![],
        };
        match self {
            Job::Train(job) => job.start.iter().cloned().collect(),
            Job::Sample(job) => {
                let mut files = of_net(&job.net);
                files.extend(job.guidance.iter().flat_map(|pull| of_net(&pull.net)));
                files
            }
            Job::Upsample(job) => of_net(&job.net),
            Job::Features(job) => vec![job.weights.clone()],
            // Inception may have to look at the reference's images.
            Job::Metrics(job) if job.world == INCEPTION => {
                vec![job.reference.clone(), job.weights.clone()]
            }
            Job::Metrics(job) => vec![job.reference.clone()],
        }
    }
}

/// The jobs of a cell, in the order in which they run.
pub fn jobs_of(cell: &Cell) -> Result<Vec<Job>> {
    let spec = &cell.spec;
    let mut jobs = Vec::new();
    let mut trained = None;
    if let Some(train) = &spec.train {
        let job = Job::Train(training("train", spec.model.clone(), train)?);
        trained = Some(job.key()?);
        jobs.push(job);
    }
    let Some(sample) = &spec.sample else {
        return Ok(jobs);
    };
    check_steps(&sample.steps, spec.timesteps()).context("[sample]")?;
    let mut sample = sample.clone();
    sample.classes = classes::in_plan(spec, &sample.classes)?;
    let count = sample.count;
    let guidance = match spec.guidance.as_ref().filter(|g| g.scale != 0.0) {
        Some(guidance) => {
            let (net, training) = guide(guidance)?;
            jobs.extend(training.map(Job::Train));
            let (scale, dtype) = (guidance.scale, guidance.dtype);
            Some(Pull { net, scale, dtype })
        }
        None => None,
    };
    let base = SampleJob {
        net: sampled_net(spec, trained)?,
        guidance,
        sample,
    };
    let enlarged = spec.upsample.as_ref().filter(|u| !u.is_none());
    let enlarged = enlarged.map(|u| upsample(u, &base)).transpose()?;
    let job = Job::Sample(base);
    let mut samples = job.key()?;
    jobs.push(job);
    if let Some(job) = enlarged.map(Job::Upsample) {
        samples = job.key()?;
        jobs.push(job);
    }
    let Some(eval) = &spec.eval else {
        return Ok(jobs);
    };
    let weights = pinned("eval.weights", &eval.weights)?;
    let net = weights.clone();
    let reference = pinned_reference(&eval.reference, eval)?;
    // What is not fetched yet shows what it holds when it is there.
    let absent = eval
        .reference
        .to_str()
        .is_some_and(|p| p.starts_with(SCHEME));
    if eval.features == INCEPTION && !absent {
        let asked: Vec<_> = eval.metrics.iter().filter_map(|m| m.quantity()).collect();
        let rules = eval.preset.rules().only(&asked);
        reference::check_offer(&eval.reference, &rules)
            .context("eval.metrics and eval.reference")?;
    }
    let job = Job::Features(FeaturesJob {
        samples,
        count,
        world: eval.features.clone(),
        weights,
        preprocessing: eval.preset.rules().preprocessing,
    });
    let features = job.key()?;
    jobs.push(job);
    jobs.push(Job::Metrics(MetricsJob {
        features,
        count,
        world: eval.features.clone(),
        weights: net,
        reference,
        preset: eval.preset,
        // That one is not measured on images.
        metrics: eval
            .metrics
            .iter()
            .copied()
            .filter(|m| *m != Metric::TrainingSeconds)
            .collect(),
    }));
    Ok(jobs)
}

/// That the steps can be kept, while it still costs nothing; a checkpoint that was trained on another number of steps
/// than the file says is only found when it is opened.
fn check_steps(steps: &Steps, timesteps: usize) -> Result<()> {
    if let Steps::Sections(text) = steps {
        space_timesteps(timesteps, text)?;
    }
    Ok(())
}

fn sampled_net(spec: &Experiment, trained: Option<Key>) -> Result<Net> {
    let weights = match (trained, &spec.model.checkpoint) {
        (Some(key), _) => {
            let last = spec.train.as_ref().map(|t| t.steps);
            let steps = spec.sample.as_ref().and_then(|s| s.trained_steps);
            Weights::Trained(key, steps.filter(|s| Some(*s) != last))
        }
        (None, Some(path)) => Weights::File(pinned("model.checkpoint", path)?),
        (None, None) => bail!(
            "[sample] needs weights\nhint: name them with `model.checkpoint = \"...\"`, or make them with a [train] table"
        ),
    };
    let model = spec.model.clone();
    Ok(Net { model, weights })
}

/// The second stage of a cell, once it is known to fit the first.
fn upsample(upsample: &Upsample, base: &SampleJob) -> Result<UpsampleJob> {
    check_steps(&upsample.steps, upsample.timesteps()).context("[upsample]")?;
    let weights = Weights::File(pinned("upsample.checkpoint", &upsample.checkpoint)?);
    let model = Model {
        kind: Kind::SuperRes,
        preset: upsample.preset.clone(),
        checkpoint: Some(upsample.checkpoint.clone()),
        ..Model::default()
    };
    let net = Net { model, weights };
    upsampler::check(base, &net)?;
    Ok(UpsampleJob {
        net,
        samples: keys::sample(base)?,
        sample: upsample.drawn(&base.sample),
    })
}

/// The classifier of a cell, and what trains it where no file holds it.
fn guide(guidance: &Guidance) -> Result<(Net, Option<TrainJob>)> {
    let model = guidance.model();
    let (weights, training) = match (&guidance.train, &guidance.checkpoint) {
        (Some(train), _) => {
            let job = training("guidance.train", model.clone(), train)?;
            (Weights::Trained(keys::train(&job)?, None), Some(job))
        }
        (None, Some(path)) => (Weights::File(pinned("guidance.checkpoint", path)?), None),
        (None, None) => bail!(
            "[guidance] needs weights\nhint: name them with `guidance.checkpoint = \"...\"`, or make them with a table [guidance.train]"
        ),
    };
    Ok((Net { model, weights }, training))
}

/// What a table `train` or `guidance.train` asks for.
fn training(table: &str, model: Model, train: &Train) -> Result<TrainJob> {
    let start = train.start_from.as_deref();
    let start = start.map(|path| pinned(&format!("{table}.start_from"), path));
    Ok(TrainJob {
        model,
        train: train.clone(),
        data_digest: digest_data(&train.data)?,
        start: start.transpose()?,
    })
}
