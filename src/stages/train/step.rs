//! A batch at its place in a training, and what a net is told of it.

use crate::diffusion::process::timesteps::Draw;
use crate::diffusion::random::noise::{Noise, START};
use crate::experiment::file::experiment::Train;
use crate::kernels::gradients::checkpoint::Activations;
use crate::nets::adm::layers::Dropout;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::random::stream::{stream, uniform};
use crate::stages::feed::Batch;
use crate::stages::train::journal::Unread;
use anyhow::Result;
use candle_core::{Device, Tensor};
use std::ops::Range;

/// A batch's loss, a scalar with gradients, what the log keeps of it, and what must be finite beside the loss.
pub struct Outcome {
    pub loss: Tensor,
    pub terms: Vec<Unread>,
    pub check: Option<Check>,
}

/// A scalar that must be finite, read with the loss, and what is said before its value where it is not.
pub struct Check {
    pub sum: Tensor,
    pub otherwise: String,
}

/// The images of an update's batch that go through the net at once.
pub struct Turn {
    /// The update, counted from the first of the training.
    pub step: u64,
    /// Their places in the batch.
    pub images: Range<usize>,
}

impl Turn {
    /// Those of a batch of `count` images, in order: `train.microbatch` images each, and what is left.
    pub fn all(train: &Train, step: u64, count: usize) -> Vec<Turn> {
        let each = train.microbatch.unwrap_or(count).max(1);
        let turn = |start| Turn {
            step,
            images: start..count.min(start + each),
        };
        (0..count).step_by(each).map(turn).collect()
    }
}

/// Images at their place in a training.
pub(super) struct TrainStep<'a> {
    /// Those of the turn alone.
    pub batch: &'a Batch,
    pub turn: &'a Turn,
    /// Theirs.
    pub drawn: Draw,
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
            dropout: self.dropout(),
            activations: self.activations(),
        })
    }

    fn dropout(&self) -> Dropout {
        let Turn { step, images } = self.turn;
        Dropout::new(self.train.dropout, self.train.seed, *step).after(images.start)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_its_turn_once() {
        let text = "data = 'shapes'\nsteps = 1\nbatch = 10\nlearning_rate = 1.0";
        let mut train: Train = toml::from_str(text).unwrap();
        for (microbatch, want) in [
            (None, vec![(0, 10)]),
            (Some(10), vec![(0, 10)]),
            (Some(5), vec![(0, 5), (5, 10)]),
            (Some(4), vec![(0, 4), (4, 8), (8, 10)]),
            (Some(1), (0..10).map(|i| (i, i + 1)).collect()),
        ] {
            train.microbatch = microbatch;
            let turns = Turn::all(&train, 3, 10).into_iter();
            let ends = turns.map(|turn| (turn.images.start, turn.images.end));
            assert_eq!(ends.collect::<Vec<_>>(), want);
        }
    }
}
