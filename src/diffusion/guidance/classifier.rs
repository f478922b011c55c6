//! Classifier guidance: the gradient of s log p(y | x_t) in x_t, s the scale, and the two forms in which a step takes it
//! (arXiv:2105.05233, section 4, algorithms 1 and 2).

use crate::diffusion::guidance::rule::{Guidance, Point};
use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::{Field, Posterior};
use crate::diffusion::process::schedule::Schedule;
use crate::machine::profile::{Operation, span};
use candle_core::{D, DType, Result, Tensor, Var, bail};

/// Guidance by the gradient of a classifier. For scale 0 pass no rule at all: then no classifier runs.
pub struct ClassifierGuidance<'a> {
    scale: f64,
    gradient: Box<Field<'a>>,
}

impl<'a> ClassifierGuidance<'a> {
    /// `log_probs` (x [n, c, h, w], t `[n]`) → ln p(class | x, t) [n, k]; `labels` `[n]` of 0..k.
    pub fn new(scale: f64, log_probs: &'a Field<'a>, labels: &Tensor) -> Self {
        let labels = labels.clone();
        Self::with_gradient(scale, move |x, t| class_gradient(log_probs, &labels, x, t))
    }

    /// `gradient` (x [n, c, h, w], t `[n]`) → [n, c, h, w], not yet scaled.
    pub fn with_gradient(
        scale: f64,
        gradient: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a,
    ) -> Self {
        let gradient = Box::new(gradient);
        Self { scale, gradient }
    }

    /// scale · gradient at `point`: [n, c, h, w] f32.
    fn scaled(&self, point: &Point) -> Result<Tensor> {
        let gradient = (self.gradient)(point.x, point.t)?.affine(self.scale, 0.0)?;
        let gradient = gradient.detach().to_dtype(DType::F32)?;
        point.finite(&gradient, "guidance gradient")?;
        Ok(gradient)
    }
}

impl Guidance for ClassifierGuidance<'_> {
    fn scale(&self) -> f64 {
        self.scale
    }

    fn mean(&self, posterior: &Posterior, point: &Point) -> Result<Tensor> {
        condition_mean(posterior, &self.scaled(point)?)
    }

    fn x0(&self, x0: Tensor, point: &Point) -> Result<Tensor> {
        let gradient = self.scaled(point)?;
        condition_score(point.schedule, &x0, point.x, point.at(), &gradient)
    }
}

/// Gradient [n, c, h, w] in x of the summed log-probability of `labels` `[n]`; outside any other graph. Images do not mix,
/// so the sum gives each image its own gradient.
///
/// # Errors
/// Where no gradient reaches the image, and those of the classifier.
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
    let _span = span(Operation::Gradients);
    match total.backward()?.remove(x.as_tensor()) {
        Some(gradient) => Ok(gradient.detach()),
        None => bail!(
            "the classifier's log-probabilities carry no gradient to the image\n\
             hint: one of its operations has no backward pass"
        ),
    }
}

/// The mean of an ancestral step moved by variance · gradient (algorithm 1); `gradient` [n, c, h, w] is scaled already.
pub fn condition_mean(posterior: &Posterior, gradient: &Tensor) -> Result<Tensor> {
    &posterior.mean + posterior.variance()?.mul(gradient)?
}

/// The x0 of the noise that `x0` stands for, less sqrt(1 - alpha_bar) · gradient (algorithm 2); `gradient` [n, c, h, w] is
/// scaled already. Not clamped again.
pub fn condition_score(
    schedule: &Schedule,
    x0: &Tensor,
    x: &Tensor,
    at: At,
    gradient: &Tensor,
) -> Result<Tensor> {
    let eps = schedule.eps_of_x0(x, x0, at)?;
    // In f32 from the table's value, as the release computes it.
    let weight = |i: usize| (1.0 - schedule.alpha_bar[i] as f32).sqrt();
    let eps = (eps - at.scale(gradient, |i| f64::from(weight(i)))?)?;
    schedule.x0_of_eps(x, &eps, at)
}
