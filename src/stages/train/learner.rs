//! What each kind of net learns from a batch: denoising, upsampling, classifying noisy images, describing clean ones.

use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::Output;
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::process::timesteps::{Draw, Timesteps};
use crate::diffusion::random::noise::{Noise, START};
use crate::diffusion::training::loss::{Loss, Noised, training_losses, velocity_weight};
use crate::experiment::file::experiment::{Precision, Train, Weighting};
use crate::experiment::nets::arch::{Arch, Process};
use crate::kernels::tf32::in_tf32;
use crate::nets::adm::classifier::Classifier;
use crate::nets::adm::layers::Dropout;
use crate::nets::adm::unet::{SuperRes, Unet};
use crate::nets::features::FeatureNet;
use crate::stages::feed::Batch;
use crate::stages::train::journal::Term;
use anyhow::{Context, Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;

/// Weight of the attributes' squared error beside the class's cross-entropy in the feature net's loss.
const ATTRIBUTES: f64 = 2.0;

enum Net {
    Unet(Unet, Output),
    SuperRes(SuperRes, Output, usize),
    Classifier(Classifier),
    Features(FeatureNet),
}

/// A net with its objective.
pub struct Learner {
    net: Net,
    /// None for nets of clean images.
    schedule: Option<Schedule>,
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
        let schedule = process.map(|p| Schedule::new(p, "")).transpose()?;
        let need = || process.context("a net that sees noisy images needs a diffusion process");
        let net = match arch {
            Arch::Unet(a) => Net::Unet(
                Unet::new(a, vb.clone())?,
                Output::of(need()?, a.learn_sigma),
            ),
            Arch::SuperRes(a) => {
                let low = a
                    .low_resolution
                    .context("a super-resolution net starts from some size")?;
                Net::SuperRes(
                    SuperRes::new(a, vb.clone())?,
                    Output::of(need()?, a.learn_sigma),
                    low,
                )
            }
            Arch::Classifier(a) => Net::Classifier(Classifier::new(a, vb.clone())?),
            Arch::Features(a) => Net::Features(FeatureNet::new(a, vb.clone())?),
        };
        let steps = schedule.as_ref().map_or(1, Schedule::len);
        let timesteps = Timesteps::new(train.schedule_sampler, steps);
        Ok(Self {
            net,
            schedule,
            timesteps,
            train: train.clone(),
            device: vb.device().clone(),
        })
    }

    /// The names that the log will carry.
    pub fn columns(&self) -> &'static [&'static str] {
        match self.net {
            Net::Unet(..) | Net::SuperRes(..) => &["loss", "mse", "vb"],
            Net::Classifier(_) => &["loss", "accuracy", "validation_loss", "validation_accuracy"],
            Net::Features(_) => &[
                "loss",
                "accuracy",
                "attributes",
                "validation_loss",
                "validation_accuracy",
            ],
        }
    }

    /// Values by timestep quartile make sense.
    pub fn has_quartiles(&self) -> bool {
        self.schedule.is_some()
    }

    /// One training batch at update `step`.
    pub fn outcome(&mut self, batch: &Batch, step: u64) -> Result<Outcome> {
        in_tf32(self.train.dtype == Precision::Tf32, || match &self.net {
            Net::Unet(..) | Net::SuperRes(..) => self.denoise(batch, step),
            Net::Classifier(_) => self.classify(batch, step),
            Net::Features(_) => self.describe(batch),
        })
    }

    /// Loss and accuracy on images the net does not learn from; nothing for denoisers.
    pub fn validate(&mut self, batch: &Batch, step: u64) -> Result<Vec<Term>> {
        if matches!(self.net, Net::Unet(..) | Net::SuperRes(..)) {
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

    fn noise(&self, batch: &Batch) -> candle_core::Result<Tensor> {
        let draws: Vec<u64> = (batch.first_draw..).take(batch.count()).collect();
        let side = batch.resolution;
        Noise::apart(self.train.seed, "train").tensor(&draws, START, (3, side, side), &self.device)
    }

    fn denoise(&mut self, batch: &Batch, step: u64) -> Result<Outcome> {
        let schedule = self
            .schedule
            .as_ref()
            .context("a denoiser has a schedule")?;
        let Draw { places, weights } = self.timesteps.draw(self.train.seed, step, batch.count());
        let (x0, noise) = (batch.images(&self.device)?, self.noise(batch)?);
        let noised = Noised::new(schedule, &x0, &noise, &places)?;
        let t = schedule.clock(At::Each(&places), batch.count(), &self.device)?;
        let dropout = Dropout::new(self.train.dropout, self.train.seed, step);
        let y = batch.labels(&self.device)?;
        let (answer, output) = match &self.net {
            Net::SuperRes(net, output, low) => {
                let factor = batch.resolution / low;
                // Area interpolation, as ADM makes its training pairs.
                let small = x0.avg_pool2d(factor)?;
                (
                    net.forward(
                        &noised.x,
                        &t,
                        &small,
                        y.as_ref().filter(|_| net.conditional()),
                        Some(&dropout),
                    )?,
                    *output,
                )
            }
            Net::Unet(net, output) => (
                net.forward(
                    &noised.x,
                    &t,
                    y.as_ref().filter(|_| net.conditional()),
                    Some(&dropout),
                )?,
                *output,
            ),
            _ => unreachable!("only denoisers come here"),
        };
        let losses = training_losses(Loss::RescaledMse, schedule, output, &noised, &answer)?;
        let weights = Tensor::from_vec(weights, batch.count(), &self.device)?;
        let weighted = match (self.train.weighting, &losses.mse) {
            (Weighting::Velocity, Some(mse)) => {
                let by_step = places
                    .iter()
                    .map(|&i| velocity_weight(schedule, output.mean, i) as f32);
                let by_step = Tensor::from_vec(by_step.collect(), batch.count(), &self.device)?;
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

    /// ADM's classifier_train: diffuse to a drawn step, then cross-entropy; importance weights are not used.
    fn classify(&mut self, batch: &Batch, step: u64) -> Result<Outcome> {
        let schedule = self
            .schedule
            .as_ref()
            .context("a noisy classifier has a schedule")?;
        let Net::Classifier(net) = &self.net else {
            unreachable!("only classifiers come here")
        };
        let x0 = batch.images(&self.device)?;
        let places = if self.train.noised {
            self.timesteps
                .draw(self.train.seed, step, batch.count())
                .places
        } else {
            vec![0; batch.count()]
        };
        let x = if self.train.noised {
            schedule.diffuse(&x0, &self.noise(batch)?, At::Each(&places))?
        } else {
            x0
        };
        let t = schedule.clock(At::Each(&places), batch.count(), &self.device)?;
        let log_probs = net.log_probs(&x, &t)?;
        let quartiles: Vec<usize> = places.iter().map(|p| 4 * p / schedule.len()).collect();
        let (loss, values, accuracy) = cross_entropy(&log_probs, batch, &self.device)?;
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

    fn describe(&mut self, batch: &Batch) -> Result<Outcome> {
        let Net::Features(net) = &self.net else {
            unreachable!("only feature nets come here")
        };
        let features = net.forward(&batch.images(&self.device)?)?;
        let log_probs = candle_nn::ops::log_softmax(&features.logits, D::Minus1)?;
        let (mut loss, values, accuracy) = cross_entropy(&log_probs, batch, &self.device)?;
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
            let target = Tensor::from_slice(&batch.attributes, shape, &self.device)?;
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
