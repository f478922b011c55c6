//! What an update learns from its batch: all images at once, or some at a time whose gradients are added up.

use crate::diffusion::process::timesteps::Draw;
use crate::experiment::file::experiment::Train;
use crate::kernels::gradients::record::recording;
use crate::kernels::pairs::sum;
use crate::machine::profile::{Operation, span};
use crate::stages::feed::Batch;
use crate::stages::train::journal::Term;
use crate::stages::train::learner::Learner;
use crate::stages::train::optimizer::adamw::AdamW;
use crate::stages::train::step::Turn;
use anyhow::{Result, bail};
use candle_core::Tensor;

/// What a batch gives.
#[derive(Default)]
pub struct Learned {
    /// Of the mean loss of all its images, f32, in the order of the net.
    pub gradients: Vec<Tensor>,
    /// Of all its images.
    pub terms: Vec<Term>,
}

/// What `learner` learns from the batch of update `step`, and what the drawing of timesteps learns with it.
///
/// # Errors
/// A loss that is no number, a weight that no gradient reaches, those of the net.
pub fn learn(
    learner: &mut Learner,
    adamw: &AdamW,
    (train, step): (&Train, u64),
    batch: &Batch,
) -> Result<Learned> {
    let count = batch.count();
    let drawn = learner.draw(step, count);
    let mut learned = Learned::default();
    for turn in Turn::all(train, step, count) {
        let more = part(learner, adamw, train, (batch, &drawn), &turn)?;
        learned.gradients = added(learned.gradients, more.gradients)?;
        learned.terms.extend(more.terms);
    }
    learner.remember(&drawn, &learned.terms);
    Ok(learned)
}

/// The same of the images of one turn, with their share of the gradients of the batch's mean loss.
fn part(
    learner: &Learner,
    adamw: &AdamW,
    train: &Train,
    (batch, drawn): (&Batch, &Draw),
    turn: &Turn,
) -> Result<Learned> {
    let (outcome, record) = recording(|| learner.outcome(batch, drawn, turn));
    let outcome = outcome?;
    let loss = outcome.loss.to_scalar::<f32>()?;
    if !loss.is_finite() {
        bail!(
            "the loss is {loss} at step {}\nhint: lower `train.learning_rate = {}`, or lengthen `train.warmup`",
            turn.step,
            train.learning_rate
        );
    }
    let _span = span(Operation::Gradients);
    let (images, count) = (turn.images.len(), batch.count());
    let loss = if images == count {
        outcome.loss
    } else {
        // The loss is the mean of these images: each counts as it does among all.
        (outcome.loss * (images as f64 / count as f64))?
    };
    Ok(Learned {
        gradients: adamw.gradients(record.backward(&loss)?)?,
        terms: outcome.terms,
    })
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
