//! What each kind of net learns from a batch: denoising, upsampling, few steps, classes, descriptions.

use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::Output;
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::process::timesteps::{Draw, Timesteps};
use crate::diffusion::training::loss::{Loss, Noised, training_losses, velocity_weight};
use crate::experiment::file::experiment::{Train, Weighting};
use crate::experiment::nets::arch::{Arch, Process};
use crate::kernels::tf32::with_products;
use crate::nets::adm::classifier::Classifier;
use crate::nets::denoiser::Denoiser;
use crate::nets::features::FeatureNet;
use crate::nets::open::{Net, open, open_trained};
use crate::nets::precision::{dtype, products};
use crate::stages::feed::Batch;
use crate::stages::train::distill::{Distilling, Teacher};
use crate::stages::train::journal::{Term, Unread};
use crate::stages::train::step::{Outcome, TrainStep, Turn};
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

/// A net and what it learns by.
enum Objective {
    Denoise(Box<dyn Denoiser>, Schedule, Output),
    Distill(Box<Distilling>),
    Classify(Box<Classifier>, Schedule),
    Describe(FeatureNet),
}

/// A net with its objective.
pub struct Learner {
    objective: Objective,
    /// The same with all weights in f32, for a net that is judged and does not learn in it.
    judged: Option<Objective>,
    pub timesteps: Timesteps,
    train: Train,
    device: Device,
}

impl Learner {
    /// The net of `arch` with the weights of `vb`, which hands them out in any type; a distillation's with its `teacher`,
    /// which is f32: where there are many steps, its answers are divided by small numbers.
    ///
    /// # Errors
    /// A net that does not fit its process, or a table that asks it for what it cannot learn.
    pub fn new(
        arch: &Arch,
        process: Option<&Process>,
        train: &Train,
        vb: VarBuilder,
        teacher: Option<Teacher>,
    ) -> Result<Self> {
        let process = || process.context("a net that sees noisy images needs a diffusion process");
        let schedule = || Ok::<_, anyhow::Error>(Schedule::new(process()?, "")?);
        let blocks = dtype(train.dtype);
        let objective = match (open_trained(arch, vb.to_dtype(blocks))?, teacher) {
            (Net::Denoiser(net), Some(teacher)) => {
                let distill = train.distill.as_ref();
                let distill = distill.context("a teacher stands beside no [train.distill]")?;
                let described = (arch, process()?);
                let distilling = Distilling::new(described, (distill, train), net, teacher)?;
                Objective::Distill(Box::new(distilling))
            }
            (_, Some(_)) => bail!("a {} does not denoise and has no teacher", arch.title()),
            (Net::Denoiser(net), None) => {
                let output = Output::of(process()?, net.answer());
                Objective::Denoise(net, schedule()?, output)
            }
            (Net::Classifier(net), None) => Objective::Classify(Box::new(net), schedule()?),
            (Net::Features(net), None) => Objective::Describe(net),
        };
        let judged = match (&objective, blocks) {
            (Objective::Classify(..), DType::BF16) => match open(arch, vb.clone())? {
                Net::Classifier(net) => Some(Objective::Classify(Box::new(net), schedule()?)),
                Net::Denoiser(_) | Net::Features(_) => None,
            },
            _ => None,
        };
        let steps = match &objective {
            Objective::Denoise(_, schedule, _) | Objective::Classify(_, schedule) => schedule.len(),
            // Each round of a distillation draws from its own.
            Objective::Distill(_) | Objective::Describe(_) => 1,
        };
        Ok(Self {
            objective,
            judged,
            timesteps: Timesteps::new(train.schedule_sampler, steps),
            train: train.clone(),
            device: vb.device().clone(),
        })
    }

    /// The columns that the log will carry; nets of noisy images have one for each quartile of the timestep too.
    pub fn columns(&self) -> Vec<String> {
        let names: &[&str] = match self.objective {
            Objective::Denoise(..) => &["loss", "mse", "vb"],
            Objective::Distill(_) => &["loss", "mse"],
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
            Objective::Denoise(..) | Objective::Distill(_) | Objective::Classify(..) => 4,
        };
        let column = |name: &&str| {
            let by_quartile = (0..quartiles).map(|quartile| format!("{name}_q{quartile}"));
            let by_quartile = by_quartile.collect::<Vec<_>>();
            [vec![name.to_string()], by_quartile].concat()
        };
        names.iter().flat_map(column).collect()
    }

    /// The rounds of a distillation.
    pub fn distilling(&self) -> Option<&Distilling> {
        match &self.objective {
            Objective::Distill(distilling) => Some(distilling),
            _ => None,
        }
    }

    pub fn distilling_mut(&mut self) -> Option<&mut Distilling> {
        match &mut self.objective {
            Objective::Distill(distilling) => Some(distilling),
            _ => None,
        }
    }

    /// The timesteps of the `count` images of update `step`; of nets that see no noise, the first.
    pub fn draw(&self, step: u64, count: usize) -> Draw {
        let seed = self.train.seed;
        match &self.objective {
            Objective::Denoise(..) | Objective::Classify(..) => {
                self.timesteps.draw(seed, step, count)
            }
            Objective::Distill(distilling) => distilling.draw(seed, step, count),
            Objective::Describe(_) => Draw {
                places: vec![0; count],
                weights: vec![1.0; count],
            },
        }
    }

    /// Lets the drawing of a denoiser's timesteps learn from the losses of all images of a batch.
    pub fn remember(&mut self, drawn: &Draw, terms: &[Term]) {
        if let Objective::Denoise(..) = self.objective {
            let losses = terms.iter().filter(|term| term.name == "loss");
            let losses = losses.flat_map(|term| term.values.iter().map(|&value| f64::from(value)));
            self.timesteps
                .update(&drawn.places, &losses.collect::<Vec<_>>());
        }
    }

    /// What is learned from the images of a `turn` of `batch`; `drawn` is of all images of the batch.
    ///
    /// # Errors
    /// Those of the net, and data that does not fit what it learns.
    pub fn outcome(&self, batch: &Batch, drawn: &Draw, turn: &Turn) -> Result<Outcome> {
        self.ask(&self.objective, batch, drawn, turn)
    }

    fn ask(
        &self,
        objective: &Objective,
        batch: &Batch,
        drawn: &Draw,
        turn: &Turn,
    ) -> Result<Outcome> {
        let part;
        let batch = if turn.images.len() == batch.count() {
            batch
        } else {
            part = batch.part(turn.images.clone());
            &part
        };
        let at = TrainStep {
            batch,
            turn,
            drawn: drawn.part(turn.images.clone()),
            train: &self.train,
            device: &self.device,
        };
        with_products(products(self.train.dtype), || match objective {
            Objective::Denoise(net, schedule, output) => {
                at.denoise(net.as_ref(), schedule, *output)
            }
            Objective::Distill(distilling) => distilling.outcome(&at),
            Objective::Classify(net, schedule) => at.classify(net, schedule),
            Objective::Describe(net) => at.describe(net),
        })
    }

    /// Loss and accuracy on images the net does not learn from; nothing for denoisers.
    pub fn validate(&self, batch: &Batch, step: u64) -> Result<Vec<Term>> {
        if matches!(
            self.objective,
            Objective::Denoise(..) | Objective::Distill(_)
        ) {
            return Ok(Vec::new());
        }
        let objective = self.judged.as_ref().unwrap_or(&self.objective);
        let drawn = self.draw(step, batch.count());
        let mut terms = Vec::new();
        for turn in Turn::all(&self.train, step, batch.count()) {
            for term in self.ask(objective, batch, &drawn, &turn)?.terms {
                terms.push(term.read()?);
            }
        }
        let renamed = terms.into_iter().filter_map(|term| match term.name {
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

impl TrainStep<'_> {
    fn denoise(&self, net: &dyn Denoiser, schedule: &Schedule, output: Output) -> Result<Outcome> {
        let batch = self.batch;
        let Draw { places, weights } = self.drawn.clone();
        let (x0, noise) = (batch.images(self.device)?, self.noise()?);
        let noised = Noised::new(schedule, &x0, &noise, &places)?;
        let t = schedule.clock(At::Each(&places), batch.count(), self.device)?;
        let told = self.told(net, &x0)?;
        let answer = net.denoise(&noised.x, &t, &told.learning())?;
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
        let values = weighted.detach();
        let loss = (weighted * weights)?.mean_all()?;
        let quartiles: Vec<usize> = places.iter().map(|p| 4 * p / schedule.len()).collect();
        let mut terms = vec![Unread {
            name: "loss",
            values,
            quartiles: quartiles.clone(),
        }];
        for (name, part) in [("mse", &losses.mse), ("vb", &losses.vb)] {
            if let Some(part) = part {
                terms.push(Unread {
                    name,
                    values: part.detach(),
                    quartiles: quartiles.clone(),
                });
            }
        }
        Ok(Outcome {
            loss,
            terms,
            check: None,
        })
    }
}
