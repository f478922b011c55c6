//! A job as passes through nets.

use crate::experiment::file::drawing::rules::Method;
use crate::experiment::file::experiment::{Kind, Model, Precision, Sample};
use crate::experiment::nets::arch::{Arch, Card};
use crate::experiment::nets::multiplications;
use crate::experiment::nets::resolve::resolve;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::job::Job;
use crate::jobs::net::Net;
use crate::jobs::stage::Plannable;
use crate::jobs::train::TrainJob;
use crate::nets::{features, inception, inventory};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A net, by its shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
// A plan holds few, so their unequal sizes do not matter.
#[allow(clippy::large_enum_variant)]
pub enum Subject {
    Net(Arch),
    Inception,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Forward,
    /// Forward, and the gradient in the image, as guidance takes it.
    InputGradient,
    /// Forward, and the gradient in every weight.
    TrainingStep,
}

/// Passes that take the same time an image on the same device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    pub subject: Subject,
    pub operation: Operation,
    pub dtype: Precision,
    /// Images of one pass.
    pub batch: usize,
}

impl Workload {
    /// Bytes of its weights as f32; None where no such net can be built.
    pub fn bytes(&self) -> Option<u64> {
        let Subject::Net(arch) = &self.subject else {
            return None;
        };
        let tensors = inventory::tensors(arch).ok()?;
        let size = |shape: &[usize]| shape.iter().map(|side| *side as f64).product::<f64>();
        let all: f64 = tensors.iter().map(|entry| size(&entry.shape)).sum();
        Some(4 * all as u64)
    }

    /// Multiply-adds of one image; None where no such net can be built.
    pub fn multiplications(&self) -> Option<f64> {
        let forward = match &self.subject {
            Subject::Net(arch) => multiplications::forward(arch)?,
            Subject::Inception => inception::multiplications::forward(),
        };
        Some(match self.operation {
            Operation::Forward => forward.total(),
            Operation::InputGradient => forward.with_input_gradient(),
            Operation::TrainingStep => forward.training_step(),
        })
    }
}

/// Passes of a workload on so many images, an image counted each time that it goes through.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The same one in all jobs of a plan whose passes are alike.
    pub workload: Arc<Workload>,
    /// Multiply-adds of one image; None where no such net can be built.
    pub each: Option<f64>,
    pub images: f64,
}

/// Asks what nets the jobs of a plan use; the card of a file is read once, and a workload is counted once.
#[derive(Default)]
pub struct Jobs {
    cards: HashMap<PathBuf, Option<Card>>,
    /// With their multiply-adds, by their text.
    workloads: HashMap<String, (Arc<Workload>, Option<f64>)>,
}

impl Jobs {
    /// What `job` consists of; None where it uses no net, or one that nothing here describes.
    pub fn work(&mut self, job: &Job) -> Option<Vec<Work>> {
        match job {
            Job::Sample(job) => {
                let (sample, evals) = (&job.sample, job.evaluations());
                let mut passes = vec![self.drawn(&job.net, sample, evals)?];
                if let Some(guidance) = &job.guidance {
                    let (net, dtype) = match &guidance.net {
                        Some(net) => (net, guidance.dtype),
                        None => (&job.net, sample.dtype),
                    };
                    let operation = match guidance.rule.method {
                        Method::Classifier => Operation::InputGradient,
                        _ => Operation::Forward,
                    };
                    let workload = Workload {
                        subject: Subject::Net(self.arch(net)?),
                        operation,
                        dtype,
                        batch: batch(sample),
                    };
                    passes.push(self.passes(workload, evals * guidance.share)?);
                }
                Some(passes)
            }
            Job::Upsample(job) => {
                let evals = job.cost().amount;
                Some(vec![self.drawn(&job.net, &job.sample, evals)?])
            }
            Job::Features(job) => {
                let subject = self.feature_net(&job.world, &job.weights)?;
                let batch = match subject {
                    Subject::Inception => inception::net::BATCH,
                    Subject::Net(_) => features::BATCH,
                };
                let workload = Workload {
                    subject,
                    operation: Operation::Forward,
                    dtype: Precision::F32,
                    batch: batch.min(job.count).max(1),
                };
                Some(vec![self.passes(workload, job.count as f64)?])
            }
            Job::Train(job) => self.trained(job),
            Job::Metrics(_)
            | Job::CommandTrain(_)
            | Job::CommandSample(_)
            | Job::CommandMetrics(_)
            | Job::Adopted(_) => None,
        }
    }

    /// A training's passes, and those of what teaches it.
    fn trained(&mut self, job: &TrainJob) -> Option<Vec<Work>> {
        let workload = Workload {
            subject: Subject::Net(resolve(&job.model, None).ok()?.0),
            operation: Operation::TrainingStep,
            dtype: job.train.dtype,
            batch: job.train.microbatch.unwrap_or(job.train.batch).max(1),
        };
        let forward = Workload {
            operation: Operation::Forward,
            ..workload.clone()
        };
        let (updates, batch) = (job.train.updates() as f64, job.train.batch as f64);
        let mut passes = vec![self.passes(workload, updates * batch)?];
        if job.train.gradient_checkpointing {
            // Every block calculates once more.
            passes.push(self.passes(forward.clone(), updates * batch)?);
        }
        if let Some(distill) = &job.train.distill {
            // Two of a teacher's steps make one of its student's; it is asked once while the prediction is converted.
            let asked = 2.0 * updates - distill.convert_steps as f64;
            let dtype = match forward.dtype {
                // The blocks of a teacher are not calculated in halves.
                Precision::Bf16 | Precision::F16 => Precision::F32,
                dtype @ (Precision::F32 | Precision::Tf32) => dtype,
            };
            let forward = Workload { dtype, ..forward };
            passes.push(self.passes(forward, asked * batch)?);
        }
        Some(passes)
    }

    /// A denoiser's passes.
    fn drawn(&mut self, net: &Net, sample: &Sample, evals: f64) -> Option<Work> {
        let workload = Workload {
            subject: Subject::Net(self.arch(net)?),
            operation: Operation::Forward,
            dtype: sample.dtype,
            batch: batch(sample),
        };
        self.passes(workload, evals)
    }

    fn passes(&mut self, workload: Workload, images: f64) -> Option<Work> {
        let text = serde_json::to_string(&workload).ok()?;
        let known = self.workloads.entry(text).or_insert_with(|| {
            let each = workload.multiplications();
            (Arc::new(workload), each)
        });
        let (workload, each) = known.clone();
        Some(Work {
            workload,
            each,
            images,
        })
    }

    fn arch(&mut self, net: &Net) -> Option<Arch> {
        let card = net.file().and_then(|file| self.card(file));
        Some(resolve(&net.model, card.as_ref()).ok()?.0)
    }

    fn feature_net(&mut self, world: &str, weights: &Pinned) -> Option<Subject> {
        if FeatureSpace::named(world).is_published() {
            return Some(Subject::Inception);
        }
        let card = self.card(weights)?;
        let model = Model {
            kind: Kind::Features,
            ..Model::default()
        };
        Some(Subject::Net(resolve(&model, Some(&card)).ok()?.0))
    }

    /// What a file says of itself; None where it says nothing, or is not there.
    fn card(&mut self, file: &Pinned) -> Option<Card> {
        if file.absent().is_some() {
            return None;
        }
        if let Some(known) = self.cards.get(&file.path) {
            return known.clone();
        }
        let opened = Checkpoint::open(&file.path).ok();
        let found = opened.and_then(|opened| card(&opened).ok().flatten());
        self.cards.insert(file.path.clone(), found.clone());
        found
    }
}

/// Images of one pass: no more than a part has.
fn batch(sample: &Sample) -> usize {
    sample.batch.min(sample.part).min(sample.count).max(1)
}
