//! What nets that tell classes learn from a batch: classifying noisy images, describing clean ones.

use crate::diffusion::process::at::At;
use crate::diffusion::process::schedule::Schedule;
use crate::nets::adm::classifier::Classifier;
use crate::nets::features::FeatureNet;
use crate::stages::feed::Batch;
use crate::stages::train::journal::Unread;
use crate::stages::train::step::{Outcome, TrainStep};
use anyhow::{Context, Result, ensure};
use candle_core::{D, DType, Device, Tensor};

/// Weight of the attributes' squared error beside the class's cross-entropy in the feature net's loss.
const ATTRIBUTES: f64 = 2.0;

impl TrainStep<'_> {
    /// ADM's classifier_train: diffuse to a drawn step, then cross-entropy; importance weights are not used.
    pub(super) fn classify(&self, net: &Classifier, schedule: &Schedule) -> Result<Outcome> {
        let batch = self.batch;
        let x0 = batch.images(self.device)?;
        let (places, x) = if self.train.noised {
            let x = schedule.diffuse(&x0, &self.noise()?, At::Each(&self.drawn.places))?;
            (self.drawn.places.clone(), x)
        } else {
            (vec![0; batch.count()], x0)
        };
        let t = schedule.clock(At::Each(&places), batch.count(), self.device)?;
        let log_probs = net.log_probs_with(&x, &t, self.activations())?;
        let quartiles: Vec<usize> = places.iter().map(|p| 4 * p / schedule.len()).collect();
        let (loss, values, accuracy) = cross_entropy(&log_probs, batch, self.device)?;
        let terms = vec![
            Unread {
                name: "loss",
                values,
                quartiles: quartiles.clone(),
            },
            Unread {
                name: "accuracy",
                values: accuracy,
                quartiles,
            },
        ];
        Ok(Outcome {
            loss,
            terms,
            check: None,
        })
    }

    pub(super) fn describe(&self, net: &FeatureNet) -> Result<Outcome> {
        let batch = self.batch;
        let features = net.forward(&batch.images(self.device)?)?;
        let log_probs = candle_nn::ops::log_softmax(&features.logits, D::Minus1)?;
        let (mut loss, values, accuracy) = cross_entropy(&log_probs, batch, self.device)?;
        let mut terms = vec![
            Unread {
                name: "loss",
                values,
                quartiles: Vec::new(),
            },
            Unread {
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
            terms.push(Unread {
                name: "attributes",
                values: errors.detach(),
                quartiles: Vec::new(),
            });
            loss = (loss + (errors.mean_all()? * ATTRIBUTES)?)?;
        }
        Ok(Outcome {
            loss,
            terms,
            check: None,
        })
    }
}

/// log_probs [n, k] → the mean loss, each image's loss, and 1 where the best class is the label's.
fn cross_entropy(
    log_probs: &Tensor,
    batch: &Batch,
    device: &Device,
) -> Result<(Tensor, Tensor, Tensor)> {
    let labels = batch.labels(device)?.context(
        "this data has no classes to learn\nhint: put the images into one folder a class, or name them CLASS_rest.png",
    )?;
    let losses = log_probs
        .gather(&labels.unsqueeze(1)?, 1)?
        .squeeze(1)?
        .neg()?;
    let best = log_probs.argmax(D::Minus1)?;
    let accuracy = best.eq(&labels)?.to_dtype(DType::F32)?;
    Ok((losses.mean_all()?, losses.detach(), accuracy))
}
