//! The keys of jobs: what reaches them is what can change the result, typed and normalised, and nothing else.

use crate::experiment::file::experiment::{
    ArchChanges, Kind, Model, Precision, ProcessChanges, Sample, Sampler, Steps, Train,
    VarianceRule,
};
use crate::experiment::key::Key;
use crate::experiment::nets::arch::{Answer, Arch, Process};
use crate::experiment::nets::resolve::resolve;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::preset::INCEPTION;
use crate::experiment::scoring::rules::Rules;
use crate::jobs::job::{FeaturesJob, MetricsJob, Net, SampleJob, TrainJob, UpsampleJob, Weights};
use anyhow::Result;
use serde::Serialize;

/// A stage whose result changes gets a higher number: every stored result of it is then made again.
pub const TRAIN_VERSION: u32 = 2;
pub const SAMPLE_VERSION: u32 = 2;
pub const UPSAMPLE_VERSION: u32 = 1;
pub const FEATURES_VERSION: u32 = 2;
pub const METRICS_VERSION: u32 = 4;

/// The layout of Inception's features, which hold what was seen of each image too.
const WITH_FACTS: u32 = 2;

/// What of a model reaches a key. A preset stands for what it means, so that it may be renamed but not silently
/// changed; a checkpoint is named by digest, not by path, and its own card is part of its bytes.
#[derive(Serialize)]
struct ModelInputs {
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    net: Option<Arch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Process>,
    #[serde(skip_serializing_if = "ArchChanges::is_empty")]
    net_changes: ArchChanges,
    #[serde(skip_serializing_if = "ProcessChanges::is_empty")]
    process_changes: ProcessChanges,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<String>,
}

fn model_inputs(model: &Model, weights: Option<String>) -> Result<ModelInputs> {
    let mut inputs = ModelInputs {
        kind: model.kind,
        net: None,
        process: None,
        net_changes: ArchChanges::default(),
        process_changes: ProcessChanges::default(),
        weights,
    };
    match model.preset.is_some() || inputs.weights.is_none() {
        true => {
            let (net, process) = resolve(model, None)?;
            (inputs.net, inputs.process) = (Some(net), process);
        }
        false => {
            inputs.net_changes = model.arch.clone();
            inputs.process_changes = model.process.clone();
        }
    }
    Ok(inputs)
}

fn net_inputs(net: &Net) -> Result<ModelInputs> {
    let weights = match &net.weights {
        Weights::File(file) => file.digest.clone(),
        Weights::Trained(key, None) => key.full().to_string(),
        Weights::Trained(key, Some(steps)) => format!("{} after {steps}", key.full()),
    };
    model_inputs(&net.model, Some(weights))
}

pub fn train(job: &TrainJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Inputs {
        net: ModelInputs,
        train: Train,
        #[serde(skip_serializing_if = "Option::is_none")]
        start: Option<String>,
    }
    let mut train = job.train.clone();
    train.checkpoint_every = 0;
    (train.export, train.start_from) = (None, None);
    if let Some(digest) = &job.data_digest {
        train.data = digest.clone();
    }
    let net = model_inputs(&job.model, None)?;
    let start = job.start.as_ref().map(|file| file.digest.clone());
    Key::of("train", TRAIN_VERSION, &Inputs { net, train, start })
}

pub fn sample(job: &SampleJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Guide {
        net: ModelInputs,
        scale: f64,
        #[serde(skip_serializing_if = "Precision::is_f32")]
        dtype: Precision,
    }
    #[derive(Serialize)]
    struct Inputs {
        net: ModelInputs,
        #[serde(skip_serializing_if = "Option::is_none")]
        guidance: Option<Guide>,
        sample: Sample,
    }
    let guidance = match &job.guidance {
        Some(pull) => Some(Guide {
            net: net_inputs(&pull.net)?,
            scale: pull.scale,
            dtype: pull.dtype,
        }),
        None => None,
    };
    let net = net_inputs(&job.net)?;
    let inputs = Inputs {
        sample: drawn(&job.sample, &net),
        net,
        guidance,
    };
    Key::of("sample", SAMPLE_VERSION, &inputs)
}

pub fn upsample(job: &UpsampleJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Inputs<'a> {
        net: ModelInputs,
        samples: &'a str,
        sample: Sample,
    }
    let net = net_inputs(&job.net)?;
    let inputs = Inputs {
        sample: drawn(&job.sample, &net),
        net,
        samples: job.samples.full(),
    };
    Key::of("upsample", UPSAMPLE_VERSION, &inputs)
}

/// How images are drawn, without what cannot change them.
fn drawn(sample: &Sample, net: &ModelInputs) -> Sample {
    let mut sample = sample.clone();
    (sample.count, sample.batch, sample.part) = (0, 0, 0);
    // The weights say it.
    sample.trained_steps = None;
    if sample.sampler == Sampler::Ddpm {
        sample.eta = 0.0;
    }
    if let Steps::Sections(text) = &sample.steps
        && let Ok(count) = text.trim().parse()
    {
        sample.steps = Steps::Count(count);
    }
    // What the net does anyway needs no name: "learned" is an error for a net that does not learn it.
    sample.variance = sample.variance.filter(|v| *v != VarianceRule::Learned);
    if net.net.as_ref().and_then(Arch::answer) == Some(Answer::Mean) {
        sample.variance = sample.variance.filter(|v| *v != VarianceRule::FixedLarge);
    }
    sample
}

pub fn features(job: &FeaturesJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Inputs<'a> {
        samples: &'a str,
        weights: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        preprocessing: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        layout: Option<u32>,
    }
    let inception = job.world == INCEPTION;
    let inputs = Inputs {
        samples: job.samples.full(),
        weights: &job.weights.digest,
        preprocessing: inception.then(|| job.preprocessing.name()),
        layout: inception.then_some(WITH_FACTS),
    };
    Key::of("features", FEATURES_VERSION, &inputs)
}

pub fn metrics(job: &MetricsJob) -> Result<Key> {
    #[derive(Serialize)]
    struct Inputs<'a> {
        features: &'a str,
        count: usize,
        world: &'a str,
        extractor: &'a str,
        reference: &'a str,
        /// A preset stands for its rules, so that one that changes makes its scores again.
        #[serde(skip_serializing_if = "Option::is_none")]
        rules: Option<Rules>,
        metrics: Vec<Metric>,
    }
    let mut metrics = job.metrics.clone();
    metrics.sort();
    metrics.dedup();
    let inputs = Inputs {
        features: job.features.full(),
        count: job.count,
        world: &job.world,
        extractor: &job.weights.digest,
        reference: &job.reference.digest,
        rules: (job.world == INCEPTION).then(|| job.preset.rules()),
        metrics,
    };
    Key::of("metrics", METRICS_VERSION, &inputs)
}
