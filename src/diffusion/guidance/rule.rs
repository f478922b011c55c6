//! What a rule of guidance may change at a step of a sampler, and where that step stands.

use crate::diffusion::guidance::finite::Checks;
use crate::diffusion::process::clamp::Clamp;
use crate::diffusion::process::level::Place;
use crate::diffusion::process::posterior::{Field, Output, Posterior};
use candle_core::{Result, Tensor};

/// Where a batch stands when its net is asked.
pub struct Point<'a> {
    pub place: Place,
    /// How the net's answers are read.
    pub output: Output,
    /// What is done with an x0 outside of [-1, 1].
    pub clamp: Clamp,
    /// [n, c, h, w], f32 or f64, about N(0, 1) at the first step.
    pub x: &'a Tensor,
    /// `[n]` f32, on the clock of the nets.
    pub t: &'a Tensor,
    /// The rule's scale, which messages name.
    pub scale: Option<f64>,
    /// Those of the draw.
    pub checks: &'a Checks,
}

impl Point<'_> {
    /// # Errors
    /// Where `tensor` [n, c, h, w] holds an infinity or a NaN: `what`, the step, its timestep and the scale are named. On a
    /// GPU it may be a later check that tells it.
    pub fn finite(&self, tensor: &Tensor, what: &str) -> Result<()> {
        self.checks.finite(tensor, || self.not_finite(what))
    }

    fn not_finite(&self, what: &str) -> String {
        let Place { step, steps, .. } = self.place;
        let timestep = self.place.level.timestep;
        let guidance = match self.scale {
            Some(scale) => format!("guidance scale {scale}"),
            None => "no guidance".to_string(),
        };
        format!(
            "the {what} is not finite at step {step} of {steps} (timestep {timestep}, {guidance})"
        )
    }
}

/// What a rule makes of the answers of its nets.
pub struct Steered {
    /// [n, c or 2c, h, w], read as the net's own answer would be.
    pub answer: Tensor,
    /// The noise [n, c, h, w] that a step of DDIM keeps, where it is not the one that x0 stands for.
    pub noise: Option<Tensor>,
}

impl Steered {
    /// An answer and nothing beside it.
    pub fn plain(answer: Tensor) -> Self {
        Self {
            answer,
            noise: None,
        }
    }
}

/// A rule of guidance. A rule overrides what it changes: the net's answer before it is read (rules that combine the answers
/// of several nets or labels), or what is read from it (rules that add a gradient), in the form that the sampler takes.
pub trait Guidance {
    /// Its strength, as messages name it.
    fn scale(&self) -> f64;

    /// What is read at `point`; `net` is the denoiser that is guided.
    ///
    /// # Errors
    /// Those of the nets.
    fn steer(&self, net: &Field, point: &Point) -> Result<Steered> {
        Ok(Steered::plain(net(point.x, point.t)?))
    }

    /// The mean [n, c, h, w] of p(x_{t-1} | x_t), for samplers that draw from it.
    ///
    /// # Errors
    /// Those of the nets, and a guiding term that is not finite.
    fn mean(&self, posterior: &Posterior, _: &Point) -> Result<Tensor> {
        Ok(posterior.mean.clone())
    }

    /// The x0 [n, c, h, w] that the net predicts, for samplers that follow the noise which it stands for.
    ///
    /// # Errors
    /// Those of the nets, and a guiding term that is not finite.
    fn x0(&self, x0: Tensor, _: &Point) -> Result<Tensor> {
        Ok(x0)
    }
}
