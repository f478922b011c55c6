//! What each kind of net learns from a batch: denoising, upsampling, classifying noisy images, describing clean ones.

use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::Output;
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::process::timesteps::{Draw, Timesteps};
use crate::diffusion::random::noise::{Noise, START};
use crate::diffusion::training::loss::{Loss, Noised, training_losses, velocity_weight};
use crate::experiment::file::experiment::{Train, Weighting};
use crate::experiment::nets::arch::{Arch, Process};
use crate::kernels::tf32::with_products;
use crate::nets::adm::classifier::Classifier;
use crate::nets::adm::layers::Dropout;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::features::FeatureNet;
use crate::nets::open::{Net, open};
use crate::nets::precision::products;
use crate::random::stream::{stream, uniform};
use crate::stages::feed::Batch;
use crate::stages::train::journal::Term;
use anyhow::{Context, Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;

/// Weight of the attributes' squared error beside the class's cross-entropy in the feature net's loss.
const ATTRIBUTES: f64 = 2.0;

/// A net and what it learns by.
enum Objective {
    Denoise(Box<dyn Denoiser>, Schedule, Output),
    Classify(Classifier, Schedule),
    Describe(FeatureNet),
}

/// A net with its objective.
pub struct Learner {
    objective: Objective,
    pub timesteps: Timesteps,
    train: Train,
    device: Device,
}

/// A batch's loss, a scalar with gradients, and what the log keeps of it.
pub struct Outcome {
    pub loss: Tensor,
    pub terms: Vec<Term>,
}

impl Learner {
    pub fn new(
        arch: &Arch,
        process: Option<&Process>,
        train: &Train,
        vb: VarBuilder,
    ) -> Result<Self> {
        let process = || process.context("a net that sees noisy images needs a diffusion process");
        let schedule = || Ok::<_, anyhow::Error>(Schedule::new(process()?, "")?);
        let objective = match open(arch, vb.clone())? {
            Net::Denoiser(net) => {
                let output = Output::of(process()?, net.answer());
                Objective::Denoise(net, schedule()?, output)
            }
            Net::Classifier(net) => Objective::Classify(net, schedule()?),
            Net::Features(net) => Objective::Describe(net),
        };
        let steps = match &objective {
            Objective::Denoise(_, schedule, _) | Objective::Classify(_, schedule) => schedule.len(),
            Objective::Describe(_) => 1,
        };
        Ok(Self {
            objective,
            timesteps: Timesteps::new(train.schedule_sampler, steps),
            train: train.clone(),
            device: vb.device().clone(),
        })
    }

    /// The columns that the log will carry; nets of noisy images have one for each quartile of the timestep too.
    pub fn columns(&self) -> Vec<String> {
        let names: &[&str] = match self.objective {
            Objective::Denoise(..) => &["loss", "mse", "vb"],
            Objective::Classify(..) => {
                &["loss", "accuracy", "validation_loss", "validation_accuracy"]
            }
            Objective::Describe(_) => &[
                "loss",
                "accuracy",
                "attributes",
                "validation_loss",
                "validation_accuracy",
            ],
        };
        let quartiles = match self.objective {
            Objective::Describe(_) => 0,
            Objective::Denoise(..) | Objective::Classify(..) => 4,
        };
        let column = |name: &&str| {
            let by_quartile = (0..quartiles).map(|quartile| format!("{name}_q{quartile}"));
            let by_quartile = by_quartile.collect::<Vec<_>>();
            [vec![name.to_string()], by_quartile].concat()
        };
        names.iter().flat_map(column).collect()
    }

    /// One training batch at update `step`.
    pub fn outcome(&mut self, batch: &Batch, step: u64) -> Result<Outcome> {
        let mut at = TrainStep {
            batch,
            step,
            timesteps: &mut self.timesteps,
            train: &self.train,
            device: &self.device,
        };
        with_products(products(self.train.dtype), || match &self.objective {
            Objective::Denoise(net, schedule, output) => {
                at.denoise(net.as_ref(), schedule, *output)
            }
            Objective::Classify(net, schedule) => at.classify(net, schedule),
            Objective::Describe(net) => at.describe(net),
        })
    }

    /// Loss and accuracy on images the net does not learn from; nothing for denoisers.
    pub fn validate(&mut self, batch: &Batch, step: u64) -> Result<Vec<Term>> {
        if matches!(self.objective, Objective::Denoise(..)) {
            return Ok(Vec::new());
        }
        let outcome = self.outcome(batch, step)?;
        let renamed = outcome
            .terms
            .into_iter()
            .filter_map(|term| match term.name {
                "loss" => Some(Term {
                    name: "validation_loss",
                    ..term
                }),
                "accuracy" => Some(Term {
                    name: "validation_accuracy",
                    ..term
                }),
                _ => None,
            });
        Ok(renamed.collect())
    }
}

/// A batch at its place in a training.
struct TrainStep<'a> {
    batch: &'a Batch,
    /// The update, counted from the first of the training.
    step: u64,
    timesteps: &'a mut Timesteps,
    train: &'a Train,
    device: &'a Device,
}

impl TrainStep<'_> {
    fn noise(&self) -> candle_core::Result<Tensor> {
        let batch = self.batch;
        let draws: Vec<u64> = (batch.first_draw..).take(batch.count()).collect();
        let side = batch.resolution;
        Noise::apart(self.train.seed, "train").tensor(&draws, START, (3, side, side), self.device)
    }

    fn denoise(
        &mut self,
        net: &dyn Denoiser,
        schedule: &Schedule,
        output: Output,
    ) -> Result<Outcome> {
        let (batch, seed, step) = (self.batch, self.train.seed, self.step);
        let Draw { places, weights } = self.timesteps.draw(seed, step, batch.count());
        let (x0, noise) = (batch.images(self.device)?, self.noise()?);
        let noised = Noised::new(schedule, &x0, &noise, &places)?;
        let t = schedule.clock(At::Each(&places), batch.count(), self.device)?;
        let labels = match net.null_class().filter(|_| self.train.label_dropout > 0.0) {
            Some(null) => self.dropped(null)?,
            None => batch.labels(self.device)?,
        };
        let low = match net.low_resolution() {
            // Area interpolation, as ADM makes its training pairs.
            Some(low) => Some(x0.avg_pool2d(batch.resolution / low)?),
            None => None,
        };
        let given = Conditions {
            without_class: false,
            labels: labels.as_ref().filter(|_| net.classes().is_some()),
            low: low.as_ref(),
            dropout: Some(&Dropout::new(self.train.dropout, seed, step)),
            attention: None,
        };
        let answer = net.denoise(&noised.x, &t, &given)?;
        let losses = training_losses(Loss::RescaledMse, schedule, output, &noised, &answer)?;
        let weights = Tensor::from_vec(weights, batch.count(), self.device)?;
        let weighted = match (self.train.weighting, &losses.mse) {
            (Weighting::Velocity, Some(mse)) => {
                let by_step = places
                    .iter()
                    .map(|&i| velocity_weight(schedule, output.mean, i) as f32);
                let by_step = Tensor::from_vec(by_step.collect(), batch.count(), self.device)?;
                // What the squared error counts beyond the one that is in the loss already.
                (&losses.loss + (mse * (by_step - 1.0)?)?)?
            }
            _ => losses.loss.clone(),
        };
        let values = weighted.to_vec1::<f32>()?;
        let loss = (weighted * weights)?.mean_all()?;
        let quartiles: Vec<usize> = places.iter().map(|p| 4 * p / schedule.len()).collect();
        self.timesteps.update(
            &places,
            &values.iter().map(|&v| v as f64).collect::<Vec<_>>(),
        );
        let mut terms = vec![Term {
            name: "loss",
            values,
            quartiles: quartiles.clone(),
        }];
        for (name, part) in [("mse", &losses.mse), ("vb", &losses.vb)] {
            if let Some(part) = part {
                terms.push(Term {
                    name,
                    values: part.to_vec1()?,
                    quartiles: quartiles.clone(),
                });
            }
        }
        Ok(Outcome { loss, terms })
    }

    /// The labels of the batch, some of them replaced by the one that stands for none; drawn for each image by its place
    /// in the training.
    fn dropped(&self, null: u32) -> Result<Option<Tensor>> {
        let mut labels = self.batch.labels.clone();
        if labels.is_empty() {
            return Ok(None);
        }
        for (draw, label) in (self.batch.first_draw..).zip(&mut labels) {
            let mut rng = stream(self.train.seed, "label dropout", draw, 0);
            if uniform(&mut rng) < self.train.label_dropout {
                *label = null;
            }
        }
        let count = labels.len();
        Ok(Some(Tensor::from_vec(labels, count, self.device)?))
    }

    /// ADM's classifier_train: diffuse to a drawn step, then cross-entropy; importance weights are not used.
    fn classify(&self, net: &Classifier, schedule: &Schedule) -> Result<Outcome> {
        let batch = self.batch;
        let x0 = batch.images(self.device)?;
        let (places, x) = if self.train.noised {
            let drawn = self
                .timesteps
                .draw(self.train.seed, self.step, batch.count());
            let x = schedule.diffuse(&x0, &self.noise()?, At::Each(&drawn.places))?;
            (drawn.places, x)
        } else {
            (vec![0; batch.count()], x0)
        };
        let t = schedule.clock(At::Each(&places), batch.count(), self.device)?;
        let log_probs = net.log_probs(&x, &t)?;
        let quartiles: Vec<usize> = places.iter().map(|p| 4 * p / schedule.len()).collect();
        let (loss, values, accuracy) = cross_entropy(&log_probs, batch, self.device)?;
        let terms = vec![
            Term {
                name: "loss",
                values,
                quartiles: quartiles.clone(),
            },
            Term {
                name: "accuracy",
                values: accuracy,
                quartiles,
            },
        ];
        Ok(Outcome { loss, terms })
    }

    fn describe(&self, net: &FeatureNet) -> Result<Outcome> {
        let batch = self.batch;
        let features = net.forward(&batch.images(self.device)?)?;
        let log_probs = candle_nn::ops::log_softmax(&features.logits, D::Minus1)?;
        let (mut loss, values, accuracy) = cross_entropy(&log_probs, batch, self.device)?;
        let mut terms = vec![
            Term {
                name: "loss",
                values,
                quartiles: Vec::new(),
            },
            Term {
                name: "accuracy",
                values: accuracy,
                quartiles: Vec::new(),
            },
        ];
        if !batch.attributes.is_empty() {
            let shape = features.attributes.shape();
            ensure!(
                shape.elem_count() == batch.attributes.len(),
                "the net tells {} attributes, the scenes have {}",
                features.attributes.dim(1)?,
                batch.attributes.len() / batch.count()
            );
            let target = Tensor::from_slice(&batch.attributes, shape, self.device)?;
            let errors = (&features.attributes - target)?.sqr()?.mean(D::Minus1)?;
            terms.push(Term {
                name: "attributes",
                values: errors.to_vec1()?,
                quartiles: Vec::new(),
            });
            loss = (loss + (errors.mean_all()? * ATTRIBUTES)?)?;
        }
        Ok(Outcome { loss, terms })
    }
}

/// log_probs [n, k] → the mean loss, each image's loss, and 1 where the best class is the label's.
fn cross_entropy(
    log_probs: &Tensor,
    batch: &Batch,
    device: &Device,
) -> Result<(Tensor, Vec<f32>, Vec<f32>)> {
    let labels = batch.labels(device)?.context(
        "this data has no classes to learn\nhint: put the images into one folder a class, or name them CLASS_rest.png",
    )?;
    let losses = log_probs
        .gather(&labels.unsqueeze(1)?, 1)?
        .squeeze(1)?
        .neg()?;
    let best = log_probs.argmax(D::Minus1)?;
    let accuracy = best.eq(&labels)?.to_dtype(DType::F32)?.to_vec1()?;
    Ok((losses.mean_all()?, losses.to_vec1()?, accuracy))
}
