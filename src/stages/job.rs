//! What each stage is asked to make, and the key of what it makes. No tensor: a plan is made anywhere.

use crate::spec::experiment::{Experiment, Kind, Metric, Model, Sample, Sampler, Steps, Train};
use crate::spec::grid::Cell;
use crate::spec::key::{Key, digest_file, hex};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A stage whose result changes gets a higher number: every stored result of it is then made again.
const TRAIN_VERSION: u32 = 1;
const SAMPLE_VERSION: u32 = 1;
const FEATURES_VERSION: u32 = 1;
const METRICS_VERSION: u32 = 1;

/// The stages in the order in which they follow each other.
pub const STAGES: [&str; 4] = ["train", "sample", "features", "metrics"];

/// A file and the sha256 of what was in it when the job was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    pub path: PathBuf,
    pub digest: String,
}

/// Where a net's weights come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    File(Pinned),
    /// `model.safetensors` of this train job.
    Trained(Key),
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
}

/// Noise → `images-AAAAAA-BBBBBB.npz`.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleJob {
    pub net: Net,
    /// The classifier and its scale; None when the scale is 0, so that such a cell shares the unguided images.
    pub guidance: Option<(Net, f64)>,
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
}

/// Features and a reference → `scores.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsJob {
    pub features: Key,
    /// The first `count` images are scored.
    pub count: usize,
    /// The name of the feature net's world, `shapes`.
    pub world: String,
    /// The feature net's sha256, which the reference must name too.
    pub extractor: String,
    pub reference: Pinned,
    pub metrics: Vec<Metric>,
    pub resamples: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    Train(TrainJob),
    Sample(SampleJob),
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
            Job::Features(_) => STAGES[2],
            Job::Metrics(_) => STAGES[3],
        }
    }

    /// The address of the result; the same on every machine.
    pub fn key(&self) -> Result<Key> {
        match self {
            Job::Train(job) => train_key(job),
            Job::Sample(job) => sample_key(job),
            Job::Features(job) => features_key(job),
            Job::Metrics(job) => metrics_key(job),
        }
    }

    pub fn version(&self) -> u32 {
        match self {
            Job::Train(_) => TRAIN_VERSION,
            Job::Sample(_) => SAMPLE_VERSION,
            Job::Features(_) => FEATURES_VERSION,
            Job::Metrics(_) => METRICS_VERSION,
        }
    }

    /// The stored results that this job reads.
    pub fn needs(&self) -> Vec<Key> {
        match self {
            Job::Train(_) => vec![],
            Job::Sample(job) => match &job.net.weights {
                Weights::Trained(key) => vec![key.clone()],
                Weights::File(_) => vec![],
            },
            Job::Features(job) => vec![job.samples.clone()],
            Job::Metrics(job) => vec![job.features.clone()],
        }
    }

    pub fn wanted(&self) -> Wanted {
        let count = match self {
            Job::Sample(job) => Some(job.sample.count),
            Job::Features(job) => Some(job.count),
            Job::Train(_) | Job::Metrics(_) => None,
        };
        let copies = match self {
            Job::Train(job) => job.train.export.iter().cloned().collect(),
            _ => vec![],
        };
        Wanted { count, copies }
    }

    /// The files outside the store that this job reads, with their digests.
    pub fn inputs(&self) -> Vec<Pinned> {
        let of_net = |net: &Net| match &net.weights {
            Weights::File(file) => vec![file.clone()],
            Weights::Trained(_) => vec![],
        };
        match self {
            Job::Train(_) => vec![],
            Job::Sample(job) => {
                let mut files = of_net(&job.net);
                files.extend(job.guidance.iter().flat_map(|(net, _)| of_net(net)));
                files
            }
            Job::Features(job) => vec![job.weights.clone()],
            Job::Metrics(job) => vec![job.reference.clone()],
        }
    }
}

/// What of a model reaches a key: its options; the weights are named by digest, not by path.
#[derive(Serialize)]
struct ModelInputs {
    model: Model,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<String>,
}

fn model_inputs(model: &Model, weights: Option<String>) -> ModelInputs {
    let mut model = model.clone();
    model.checkpoint = None;
    ModelInputs { model, weights }
}

fn net_inputs(net: &Net) -> ModelInputs {
    let weights = match &net.weights {
        Weights::File(file) => file.digest.clone(),
        Weights::Trained(key) => key.full().to_string(),
    };
    model_inputs(&net.model, Some(weights))
}

fn train_key(job: &TrainJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Inputs {
        net: ModelInputs,
        train: Train,
    }
    let mut train = job.train.clone();
    train.checkpoint_every = 0;
    train.export = None;
    if let Some(digest) = &job.data_digest {
        train.data = digest.clone();
    }
    let net = model_inputs(&job.model, None);
    Key::of("train", TRAIN_VERSION, &Inputs { net, train })
}

fn sample_key(job: &SampleJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Guide {
        net: ModelInputs,
        scale: f64,
    }
    #[derive(Serialize)]
    struct Inputs {
        net: ModelInputs,
        #[serde(skip_serializing_if = "Option::is_none")]
        guidance: Option<Guide>,
        sample: Sample,
    }
    let mut sample = job.sample.clone();
    (sample.count, sample.batch, sample.part) = (0, 0, 0);
    if sample.sampler == Sampler::Ddpm {
        sample.eta = 0.0;
    }
    if let Steps::Sections(text) = &sample.steps
        && let Ok(count) = text.trim().parse()
    {
        sample.steps = Steps::Count(count);
    }
    let guidance = job.guidance.as_ref().map(|(net, scale)| Guide {
        net: net_inputs(net),
        scale: *scale,
    });
    let net = net_inputs(&job.net);
    let inputs = Inputs {
        net,
        guidance,
        sample,
    };
    Key::of("sample", SAMPLE_VERSION, &inputs)
}

fn features_key(job: &FeaturesJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Inputs<'a> {
        samples: &'a str,
        weights: &'a str,
    }
    let inputs = Inputs {
        samples: job.samples.full(),
        weights: &job.weights.digest,
    };
    Key::of("features", FEATURES_VERSION, &inputs)
}

fn metrics_key(job: &MetricsJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Inputs<'a> {
        features: &'a str,
        count: usize,
        world: &'a str,
        extractor: &'a str,
        reference: &'a str,
        metrics: Vec<Metric>,
        resamples: usize,
    }
    let mut metrics = job.metrics.clone();
    metrics.sort();
    metrics.dedup();
    let inputs = Inputs {
        features: job.features.full(),
        count: job.count,
        world: &job.world,
        extractor: &job.extractor,
        reference: &job.reference.digest,
        metrics,
        resamples: job.resamples,
    };
    Key::of("metrics", METRICS_VERSION, &inputs)
}

/// The jobs of a cell, in the order in which they run.
pub fn jobs_of(cell: &Cell) -> Result<Vec<Job>> {
    let spec = &cell.spec;
    let mut jobs = Vec::new();
    let mut trained = None;
    if let Some(train) = &spec.train {
        let job = Job::Train(TrainJob {
            model: spec.model.clone(),
            train: train.clone(),
            data_digest: digest_data(&train.data)?,
        });
        trained = Some(job.key()?);
        jobs.push(job);
    }
    let Some(sample) = &spec.sample else {
        return Ok(jobs);
    };
    let job = Job::Sample(SampleJob {
        net: sampled_net(spec, trained)?,
        guidance: guide(spec)?,
        sample: sample.clone(),
    });
    let samples = job.key()?;
    jobs.push(job);
    let Some(eval) = &spec.eval else {
        return Ok(jobs);
    };
    let weights = pinned("eval.weights", &eval.weights)?;
    let extractor = weights.digest.clone();
    let job = Job::Features(FeaturesJob {
        samples,
        count: sample.count,
        world: eval.features.clone(),
        weights,
    });
    let features = job.key()?;
    jobs.push(job);
    jobs.push(Job::Metrics(MetricsJob {
        features,
        count: sample.count,
        world: eval.features.clone(),
        extractor,
        reference: pinned("eval.reference", &eval.reference)?,
        metrics: eval.metrics.clone(),
        resamples: eval.resamples,
    }));
    Ok(jobs)
}

fn sampled_net(spec: &Experiment, trained: Option<Key>) -> Result<Net> {
    let weights = match (trained, &spec.model.checkpoint) {
        (Some(key), _) => Weights::Trained(key),
        (None, Some(path)) => Weights::File(pinned("model.checkpoint", path)?),
        (None, None) => bail!(
            "[sample] needs weights\nhint: name them with `model.checkpoint = \"...\"`, or make them with a [train] table"
        ),
    };
    let model = spec.model.clone();
    Ok(Net { model, weights })
}

fn guide(spec: &Experiment) -> Result<Option<(Net, f64)>> {
    let Some(guidance) = spec.guidance.as_ref().filter(|g| g.scale != 0.0) else {
        return Ok(None);
    };
    let weights = Weights::File(pinned("guidance.checkpoint", &guidance.checkpoint)?);
    let model = Model {
        kind: Kind::Classifier,
        preset: guidance.preset.clone(),
        checkpoint: Some(guidance.checkpoint.clone()),
        ..Model::default()
    };
    Ok(Some((Net { model, weights }, guidance.scale)))
}

fn pinned(key: &str, path: &Path) -> Result<Pinned> {
    let digest = digest_file(path)
        .with_context(|| format!("{key} = \"{}\" cannot be read", path.display()))?;
    let path = path.to_path_buf();
    Ok(Pinned { path, digest })
}

/// A file by its bytes; a folder by the names and sizes in it; `shapes`, made by rule, by its name alone.
fn digest_data(data: &str) -> Result<Option<String>> {
    if data == "shapes" {
        return Ok(None);
    }
    let path = Path::new(data);
    if !path.is_dir() {
        return Ok(Some(pinned("train.data", path)?.digest));
    }
    let mut hash = Sha256::new();
    for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
        let entry = entry.with_context(|| format!("reading {data}"))?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
            hash.update(format!("{}\n{}\n", name.display(), entry.metadata()?.len()));
        }
    }
    Ok(Some(hex(&hash.finalize())))
}
