//! What each stage is asked to make, and the key of what it makes. No tensor: a plan is made anywhere.

use crate::diffusion::respace::space_timesteps;
use crate::spec::catalogue::{self, SCHEME};
use crate::spec::check::kept;
use crate::spec::evaluator::{INCEPTION, Preset};
use crate::spec::experiment::{Experiment, Kind, Model, Sample, Steps, Train};
use crate::spec::grid::Cell;
use crate::spec::key::{Key, digest_file, hex};
use crate::spec::metric::Metric;
use crate::spec::rules::Preprocessing;
use crate::stages::{asked, keys, real};
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The stages in the order in which they follow each other.
pub const STAGES: [&str; 4] = ["train", "sample", "features", "metrics"];

/// A file and the sha256 of what was in it when the job was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    pub path: PathBuf,
    pub digest: String,
}

impl Pinned {
    /// The name to fetch it by, where it is a published file that is not in the cache. Keys of what reads it are then
    /// not those that they will be.
    pub fn absent(&self) -> Option<&str> {
        self.path.to_str()?.strip_prefix(SCHEME)
    }
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
    /// `train.start_from`.
    pub start: Option<Pinned>,
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
            Job::Train(job) => keys::train(job),
            Job::Sample(job) => keys::sample(job),
            Job::Features(job) => keys::features(job),
            Job::Metrics(job) => keys::metrics(job),
        }
    }

    pub fn version(&self) -> u32 {
        match self {
            Job::Train(_) => keys::TRAIN_VERSION,
            Job::Sample(_) => keys::SAMPLE_VERSION,
            Job::Features(_) => keys::FEATURES_VERSION,
            Job::Metrics(_) => keys::METRICS_VERSION,
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

    /// How much work the whole of it is: a number and what it counts.
    pub fn cost(&self) -> (f64, &'static str) {
        match self {
            Job::Train(job) => (job.train.steps as f64, "steps"),
            Job::Sample(job) => {
                let steps = match &job.sample.steps {
                    Steps::Count(count) => *count,
                    Steps::Sections(text) => kept(text).unwrap_or(1),
                };
                (job.sample.count as f64 * steps as f64, "evals")
            }
            Job::Features(job) => (job.count as f64, "images"),
            Job::Metrics(job) => (job.count as f64, "images"),
        }
    }

    /// The files outside the store that this job reads, with their digests.
    pub fn inputs(&self) -> Vec<Pinned> {
        let of_net = |net: &Net| match &net.weights {
            Weights::File(file) => vec![file.clone()],
            Weights::Trained(_) => vec![],
        };
        match self {
            Job::Train(job) => job.start.iter().cloned().collect(),
            Job::Sample(job) => {
                let mut files = of_net(&job.net);
                files.extend(job.guidance.iter().flat_map(|(net, _)| of_net(net)));
                files
            }
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
        let start = train.start_from.as_deref();
        let job = Job::Train(TrainJob {
            model: spec.model.clone(),
            train: train.clone(),
            data_digest: digest_data(&train.data)?,
            start: start.map(|p| pinned("train.start_from", p)).transpose()?,
        });
        trained = Some(job.key()?);
        jobs.push(job);
    }
    let Some(sample) = &spec.sample else {
        return Ok(jobs);
    };
    check_steps(&sample.steps, spec.timesteps())?;
    let mut sample = sample.clone();
    sample.classes = asked::in_plan(spec, &sample.classes)?;
    let count = sample.count;
    let job = Job::Sample(SampleJob {
        net: sampled_net(spec, trained)?,
        guidance: guide(spec)?,
        sample,
    });
    let samples = job.key()?;
    jobs.push(job);
    let Some(eval) = &spec.eval else {
        return Ok(jobs);
    };
    let weights = pinned("eval.weights", &eval.weights)?;
    let net = weights.clone();
    let reference = pinned("eval.reference", &eval.reference)?;
    // What is not fetched yet shows what it holds when it is there.
    let absent = eval
        .reference
        .to_str()
        .is_some_and(|p| p.starts_with(SCHEME));
    if eval.features == INCEPTION && !absent {
        let asked: Vec<_> = eval.metrics.iter().filter_map(|m| m.quantity()).collect();
        let rules = eval.preset.rules().only(&asked);
        real::check_offer(&eval.reference, &rules).context("eval.metrics and eval.reference")?;
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
        metrics: eval.metrics.clone(),
    }));
    Ok(jobs)
}

/// That the steps can be kept, while it still costs nothing; a checkpoint that was trained on another number of steps
/// than the file says is only found when it is opened.
fn check_steps(steps: &Steps, timesteps: usize) -> Result<()> {
    if let Steps::Sections(text) = steps {
        space_timesteps(timesteps, text).context("[sample]")?;
    }
    Ok(())
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
    ensure!(
        !path.is_dir(),
        "{key} = \"{}\" is a folder, a file is needed\nhint: pack the images as a tar, zip or npz file, or make a file of statistics with `runner reference`",
        path.display()
    );
    let digest = match path.to_str().and_then(|text| text.strip_prefix(SCHEME)) {
        // Where no digest is published, the name keeps the keys of different files apart.
        Some(name) => match catalogue::find(name)?.sha256 {
            Some(digest) => digest.to_string(),
            None => format!("{name}, not fetched yet"),
        },
        None => digest_file(path).with_context(|| {
            let hint = match catalogue::of_path(path) {
                Some(entry) if !path.exists() => format!(
                    "\nhint: `runner fetch {0}` gets it, and `{SCHEME}{0}` is its path then",
                    entry.name
                ),
                _ => String::new(),
            };
            format!("{key} = \"{}\" cannot be read{hint}", path.display())
        })?,
    };
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
