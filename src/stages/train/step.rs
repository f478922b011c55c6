//! A batch at its place in a training, and what a net is told of it.

use crate::diffusion::process::timesteps::Timesteps;
use crate::diffusion::random::noise::{Noise, START};
use crate::experiment::file::experiment::Train;
use crate::kernels::gradients::checkpoint::Activations;
use crate::nets::adm::layers::Dropout;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::random::stream::{stream, uniform};
use crate::stages::feed::Batch;
use crate::stages::train::journal::Term;
use anyhow::Result;
use candle_core::{Device, Tensor};

/// A batch's loss, a scalar with gradients, and what the log keeps of it.
pub struct Outcome {
    pub loss: Tensor,
    pub terms: Vec<Term>,
}

/// A batch at its place in a training.
pub(super) struct TrainStep<'a> {
    pub batch: &'a Batch,
    /// The update, counted from the first of the training.
    pub step: u64,
    pub timesteps: &'a mut Timesteps,
    pub train: &'a Train,
    pub device: &'a Device,
}

impl TrainStep<'_> {
    /// The noise of the batch, [n, 3, h, w].
    pub fn noise(&self) -> candle_core::Result<Tensor> {
        let batch = self.batch;
        let draws: Vec<u64> = (batch.first_draw..).take(batch.count()).collect();
        let side = batch.resolution;
        Noise::apart(self.train.seed, "train").tensor(&draws, START, (3, side, side), self.device)
    }

    /// What `net` is told of the images `x0` [n, c, h, w] of the batch.
    pub fn told(&self, net: &dyn Denoiser, x0: &Tensor) -> Result<Told> {
        let batch = self.batch;
        let labels = match net.null_class().filter(|_| self.train.label_dropout > 0.0) {
            Some(null) => self.dropped(null)?,
            None => batch.labels(self.device)?,
        };
        let low = match net.low_resolution() {
            // Area interpolation, as ADM makes its training pairs.
            Some(low) => Some(x0.avg_pool2d(batch.resolution / low)?),
            None => None,
        };
        Ok(Told {
            labels: labels.filter(|_| net.classes().is_some()),
            low,
            dropout: Dropout::new(self.train.dropout, self.train.seed, self.step),
            activations: self.activations(),
        })
    }

    /// What becomes of the tensors inside the blocks.
    pub fn activations(&self) -> Activations {
        if self.train.gradient_checkpointing {
            Activations::Recomputed
        } else {
            Activations::Kept
        }
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
}

/// The conditions of a batch.
pub(super) struct Told {
    labels: Option<Tensor>,
    low: Option<Tensor>,
    dropout: Dropout,
    activations: Activations,
}

impl Told {
    /// As a net that is trained gets them.
    pub fn learning(&self) -> Conditions<'_> {
        Conditions {
            dropout: Some(&self.dropout),
            activations: self.activations,
            ..self.asked()
        }
    }

    /// As a net gets them that only answers.
    pub fn asked(&self) -> Conditions<'_> {
        Conditions {
            labels: self.labels.as_ref(),
            low: self.low.as_ref(),
            ..Conditions::default()
        }
    }
}
