//! What an update learns from its batch: all images at once, or some at a time whose gradients are added up.

use crate::diffusion::process::timesteps::Draw;
use crate::experiment::file::experiment::Train;
use crate::kernels::gradients::record::recording;
use crate::kernels::pairs::sum;
use crate::machine::profile::{Operation, span};
use crate::stages::feed::Batch;
use crate::stages::train::journal::{Term, Unread};
use crate::stages::train::learner::Learner;
use crate::stages::train::optimizer::adamw::AdamW;
use crate::stages::train::step::{Check, Outcome, Turn};
use anyhow::{Result, bail, ensure};
use candle_core::Tensor;

/// What is said of a batch, which on a GPU may still be in the making.
pub struct Said {
    /// The update, counted from the first of the training.
    step: u64,
    drawn: Draw,
    /// The loss of each turn, a scalar.
    losses: Vec<Tensor>,
    /// What must be finite beside them.
    checks: Vec<Check>,
    /// Of all its images.
    terms: Vec<Unread>,
}

impl Said {
    /// Waits for what is said of the batch, which the drawing of timesteps learns from. After the update, so that a GPU has
    /// all of it to do while it is waited for: an update by a loss that is no number is thrown away with its training.
    ///
    /// # Errors
    /// A loss that is no number, or what it was taken from.
    pub fn read(self, learner: &mut Learner, train: &Train) -> Result<Vec<Term>> {
        for Check { sum, otherwise } in self.checks {
            let sum = sum.to_scalar::<f32>()?;
            ensure!(sum.is_finite(), "{otherwise} is {sum}");
        }
        for loss in self.losses {
            let loss = loss.to_scalar::<f32>()?;
            if !loss.is_finite() {
                bail!(
                    "the loss is {loss} at step {}\nhint: lower `train.learning_rate = {}`, or lengthen `train.warmup`",
                    self.step,
                    train.learning_rate
                );
            }
        }
        let terms = self.terms.into_iter().map(Unread::read);
        let terms = terms.collect::<candle_core::Result<Vec<Term>>>()?;
        learner.remember(&self.drawn, &terms);
        Ok(terms)
    }
}

/// What `learner` learns from the batch of update `step`: the gradients of the mean loss of all its images, f32, in the order
/// of the net, and what is said of it.
///
/// # Errors
/// A weight that no gradient reaches, those of the net.
pub fn learn(
    learner: &Learner,
    adamw: &AdamW,
    (train, step): (&Train, u64),
    batch: &Batch,
) -> Result<(Vec<Tensor>, Said)> {
    let count = batch.count();
    let drawn = learner.draw(step, count);
    let (mut gradients, mut losses) = (Vec::new(), Vec::new());
    let (mut terms, mut checks) = (Vec::new(), Vec::new());
    for turn in Turn::all(train, step, count) {
        let (outcome, more) = part(learner, adamw, (batch, &drawn), &turn)?;
        gradients = added(gradients, more)?;
        losses.push(outcome.loss.detach());
        terms.extend(outcome.terms);
        checks.extend(outcome.check);
    }
    let said = Said {
        step,
        drawn,
        losses,
        checks,
        terms,
    };
    Ok((gradients, said))
}

/// The outcome of the images of one turn, and their share of the gradients of the batch's mean loss.
fn part(
    learner: &Learner,
    adamw: &AdamW,
    (batch, drawn): (&Batch, &Draw),
    turn: &Turn,
) -> Result<(Outcome, Vec<Tensor>)> {
    let (outcome, record) = recording(|| learner.outcome(batch, drawn, turn));
    let outcome = outcome?;
    let _span = span(Operation::Gradients);
    let (images, count) = (turn.images.len(), batch.count());
    let gradients = if images == count {
        record.backward(&outcome.loss)?
    } else {
        // The loss is the mean of these images: each counts as it does among all.
        record.backward(&(&outcome.loss * (images as f64 / count as f64))?)?
    };
    Ok((outcome, adamw.gradients(gradients)?))
}

/// The sums of both, where there are any yet.
fn added(so_far: Vec<Tensor>, more: Vec<Tensor>) -> Result<Vec<Tensor>> {
    if so_far.is_empty() {
        return Ok(more);
    }
    let pairs = so_far.into_iter().zip(more);
    let sums = pairs.map(|(a, b)| Ok(sum(&a.detach(), &b.detach())?));
    sums.collect()
}
