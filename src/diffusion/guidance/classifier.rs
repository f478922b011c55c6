//! Classifier guidance: the gradient of s log p(y | x_t) in x_t, s the scale, and the two forms in which a step takes it
//! (arXiv:2105.05233, section 4, algorithms 1 and 2).

use crate::diffusion::guidance::rule::{Guidance, Point};
use crate::diffusion::guidance::strength::Strength;
use crate::diffusion::process::level::Level;
use crate::diffusion::process::posterior::{Field, Posterior};
use crate::kernels::gradients::record::recording;
use crate::machine::profile::{Operation, span};
use candle_core::{D, DType, Result, Tensor, Var, bail};
use std::cell::RefCell;

/// Guidance by the gradient of a classifier. For scale 0 pass no rule at all: then no classifier runs.
pub struct ClassifierGuidance<'a> {
    strength: Strength,
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
        Self {
            strength: Strength::constant(scale, 0.0),
            gradient: Box::new(gradient),
        }
    }

    /// The same rule with a strength that changes over the draw.
    pub fn with_strength(self, strength: Strength) -> Self {
        Self { strength, ..self }
    }

    /// scale · gradient at `point`: [n, c, h, w] f32; none where the rule does not steer.
    fn scaled(&self, point: &Point) -> Result<Option<Tensor>> {
        let Some(scale) = self.strength.at(&point.place) else {
            return Ok(None);
        };
        let gradient = (self.gradient)(point.x, point.t)?.affine(scale, 0.0)?;
        let gradient = gradient.detach().to_dtype(DType::F32)?;
        point.finite(&gradient, "guidance gradient")?;
        Ok(Some(gradient))
    }
}

impl Guidance for ClassifierGuidance<'_> {
    fn scale(&self) -> f64 {
        self.strength.scale
    }

    fn mean(&self, posterior: &Posterior, point: &Point) -> Result<Tensor> {
        match self.scaled(point)? {
            Some(gradient) => condition_mean(posterior, &gradient),
            None => Ok(posterior.mean.clone()),
        }
    }

    fn x0(&self, x0: Tensor, point: &Point) -> Result<Tensor> {
        match self.scaled(point)? {
            Some(gradient) => condition_score(point.place.level, &x0, point.x, &gradient),
            None => Ok(x0),
        }
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
    let (total, record) = recording(|| {
        log_probs(x.as_tensor(), t)?
            .gather(&labels, D::Minus1)?
            .sum_all()
    });
    let _span = span(Operation::Gradients);
    match record.backward(&total?)?.remove(x.as_tensor()) {
        Some(gradient) => Ok(gradient.detach()),
        None => bail!(
            "the classifier's log-probabilities carry no gradient to the image\n\
             hint: one of its operations has no backward pass"
        ),
    }
}

/// The same gradient, times ln K over the entropy of the classifier's answer, image by image: so it does not vanish once
/// the classifier is sure ("Entropy-Driven Sampling and Training Scheme for Conditional Diffusion Generation",
/// arXiv:2206.11474, equation 8).
///
/// # Errors
/// As [`class_gradient`].
pub fn entropy_scaled_gradient(
    log_probs: &Field,
    labels: &Tensor,
    x: &Tensor,
    t: &Tensor,
) -> Result<Tensor> {
    let answers = RefCell::new(None);
    let seen = |x: &Tensor, t: &Tensor| {
        let answer = log_probs(x, t)?;
        answers.replace(Some(answer.detach()));
        Ok(answer)
    };
    let gradient = class_gradient(&seen, labels, x, t)?;
    let Some(log_probs) = answers.into_inner() else {
        bail!("the classifier was not asked")
    };
    let log_probs = log_probs.to_dtype(DType::F32)?;
    let (n, classes) = log_probs.dims2()?;
    let entropy = (&log_probs * log_probs.exp()?)?.sum(D::Minus1)?.neg()?;
    // An answer without doubt has no entropy: its gradient, which is 0 then, may not be divided by it.
    let entropy = entropy.maximum(f64::from(f32::MIN_POSITIVE))?;
    let scale = (entropy.recip()? * (classes as f64).ln())?;
    gradient
        .to_dtype(DType::F32)?
        .broadcast_mul(&scale.reshape((n, 1, 1, 1))?)
}

/// The mean of an ancestral step moved by variance · gradient (algorithm 1); `gradient` [n, c, h, w] is scaled already.
pub fn condition_mean(posterior: &Posterior, gradient: &Tensor) -> Result<Tensor> {
    &posterior.mean + posterior.variance()?.mul(gradient)?
}

/// The x0 of the noise that `x0` stands for, less sqrt(1 - alpha_bar) · gradient (algorithm 2); `gradient` [n, c, h, w] is
/// scaled already. Not clamped again.
pub fn condition_score(level: Level, x0: &Tensor, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let eps = level.eps_of_x0(x, x0)?;
    // In f32 from the table's value, as the release computes it.
    let weight = (1.0 - level.alpha_bar as f32).sqrt();
    let eps = (eps - gradient.affine(f64::from(weight), 0.0)?)?;
    level.x0_of_eps(x, &eps)
}
