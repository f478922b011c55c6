//! What a rule of guidance may change at a step of a sampler, and where that step stands.

use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::{Field, Posterior};
use crate::diffusion::process::schedule::Schedule;
use candle_core::{D, Result, Tensor, bail};

/// Where a batch stands when its net is asked.
pub struct Point<'a> {
    pub schedule: &'a Schedule,
    /// Step of the schedule: S - 1 is the first of a draw, 0 its last.
    pub step: usize,
    /// [n, c, h, w] f32, about N(0, 1) at the first step.
    pub x: &'a Tensor,
    /// `[n]` f32, on the clock of the nets.
    pub t: &'a Tensor,
    /// The rule's scale, which messages name.
    pub scale: Option<f64>,
}

impl Point<'_> {
    /// The same step for the whole batch.
    pub fn at(&self) -> At<'static> {
        At::All(self.step)
    }

    /// # Errors
    /// Where `tensor` [n, c, h, w] holds an infinity or a NaN: `what`, the step, its timestep and the scale are named.
    pub fn finite(&self, tensor: &Tensor, what: &str) -> Result<()> {
        // An infinity or a NaN anywhere makes the sum one. Plane by plane first: a GPU makes each sum on one of its processors.
        let planes = tensor.flatten_from(2)?.sum(D::Minus1)?;
        if planes.sum_all()?.to_scalar::<f32>()?.is_finite() {
            return Ok(());
        }
        let (steps, timestep) = (self.schedule.len(), self.schedule.timestep(self.step));
        let guidance = match self.scale {
            Some(scale) => format!("guidance scale {scale}"),
            None => "no guidance".to_string(),
        };
        bail!(
            "the {what} is not finite at step {} of {steps} (timestep {timestep}, {guidance})",
            steps - self.step
        )
    }
}

/// A rule of guidance. A rule overrides what it changes: the net's answer before it is read (rules that combine the answers
/// of several nets or labels), or what is read from it (rules that add a gradient), in the form that the sampler takes.
pub trait Guidance {
    /// Its strength, as messages name it.
    fn scale(&self) -> f64;

    /// The answer [n, c or 2c, h, w] that is read at `point`; `net` is the denoiser that is guided.
    ///
    /// # Errors
    /// Those of the nets.
    fn answer(&self, net: &Field, point: &Point) -> Result<Tensor> {
        net(point.x, point.t)
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
