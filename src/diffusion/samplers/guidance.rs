//! Classifier guidance: the gradient of log p(y | x_t) times a scale, and the two ways a step takes it (ADM, algorithms 1 and 2).

use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::Posterior;
use crate::diffusion::process::schedule::Schedule;
use candle_core::{D, DType, Result, Tensor, Var, bail};

/// (x [n, c, h, w], t [n]) → [n, ...]; a net, or its gradient.
pub type Field<'a> = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a;

/// A pull on every step. For scale 0 pass no guide: then no classifier runs.
pub struct Guide<'a> {
    scale: f64,
    gradient: Box<Field<'a>>,
}

impl<'a> Guide<'a> {
    /// `gradient` (x, t) → [n, c, h, w], not yet scaled.
    pub fn new(scale: f64, gradient: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a) -> Self {
        let gradient = Box::new(gradient);
        Self { scale, gradient }
    }

    /// `log_probs` (x, t) → [n, k]; labels [n] u32.
    pub fn classifier(scale: f64, log_probs: &'a Field<'a>, labels: &Tensor) -> Self {
        let labels = labels.clone();
        Self::new(scale, move |x, t| class_gradient(log_probs, &labels, x, t))
    }

    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// scale · gradient at x [n, c, h, w], t [n].
    pub fn pull(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        (self.gradient)(x, t)?.affine(self.scale, 0.0)
    }
}

/// Gradient in x of the summed log-probability of `labels` [n]; outside any other graph. Images do not mix,
/// so the sum gives each image its own gradient.
pub fn class_gradient(
    log_probs: &Field,
    labels: &Tensor,
    x: &Tensor,
    t: &Tensor,
) -> Result<Tensor> {
    let x = Var::from_tensor(&x.detach())?;
    let labels = labels.to_dtype(DType::U32)?.unsqueeze(D::Minus1)?;
    let total = log_probs(x.as_tensor(), t)?
        .gather(&labels, D::Minus1)?
        .sum_all()?;
    match total.backward()?.remove(x.as_tensor()) {
        Some(gradient) => Ok(gradient.detach()),
        None => bail!(
            "the classifier's log-probabilities carry no gradient to the image\n\
             hint: one of its operations has no backward pass"
        ),
    }
}

/// The mean of an ancestral step, moved by variance · pull.
pub fn condition_mean(posterior: &Posterior, pull: &Tensor) -> Result<Tensor> {
    &posterior.mean + posterior.variance()?.mul(pull)?
}

/// The x0 of a deterministic step: the noise it stands for, less sqrt(1 - alpha_bar) · pull. Not clamped again.
pub fn condition_score(
    schedule: &Schedule,
    x0: &Tensor,
    x: &Tensor,
    at: At,
    pull: &Tensor,
) -> Result<Tensor> {
    let eps = schedule.eps_of_x0(x, x0, at)?;
    // In f32 from the table's value, as the release computes it.
    let weight = |i: usize| (1.0 - schedule.alpha_bar[i] as f32).sqrt();
    let eps = (eps - at.scale(pull, |i| f64::from(weight(i)))?)?;
    schedule.x0_of_eps(x, &eps, at)
}
