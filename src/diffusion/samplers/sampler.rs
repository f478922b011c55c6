//! From x_T to images: the loop over the steps of a schedule.

use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::Reading;
use crate::diffusion::random::noise::START;
use crate::diffusion::samplers::guidance::{Field, Guide, condition_mean, condition_score};
use crate::diffusion::samplers::{ddim, ddpm};
use crate::experiment::file::experiment::Sampler;
use candle_core::{D, DType, Result, Tensor, bail};
use std::ops::ControlFlow;

/// How a batch is drawn.
pub struct Recipe<'a> {
    pub reading: Reading<'a>,
    pub sampler: Sampler,
    /// DDIM's noise, 0 to 1; DDPM has no use for it.
    pub eta: f64,
    /// None draws unguided and runs no classifier.
    pub guide: Option<&'a Guide<'a>>,
}

/// Images [n, c, h, w] of about [-1, 1], or None when `tick` broke off.
/// `denoise` (x, t) → [n, c or 2c, h, w]; `noise` (step id) → [n, c, h, w], with `START` for x_T and `1 + k` for the k-th step;
/// `tick` (k) is called after each step.
pub fn draw(
    recipe: &Recipe,
    denoise: &Field,
    noise: &dyn Fn(u64) -> Result<Tensor>,
    tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Tensor>> {
    let steps = recipe.reading.schedule.len();
    let mut x = noise(START)?;
    for (done, i) in (0..steps).rev().enumerate() {
        let noise = || noise(START + 1 + done as u64);
        x = recipe.step(&x, i, denoise, &noise)?;
        recipe.finite(&x, "image", i)?;
        if tick(done).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(x))
}

/// `noise` as `draw` asks for it, with what the steps add scaled by `temperature` and x_T left as it is.
pub fn tempered(
    temperature: f64,
    noise: impl Fn(u64) -> Result<Tensor>,
) -> impl Fn(u64) -> Result<Tensor> {
    move |step| match step {
        START => noise(START),
        // Exactly the untempered images at 1.
        _ if temperature == 1.0 => noise(step),
        _ => noise(step)? * temperature,
    }
}

impl Recipe<'_> {
    /// x_i → x_{i-1}
    fn step(
        &self,
        x: &Tensor,
        i: usize,
        denoise: &Field,
        noise: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (schedule, at) = (self.reading.schedule, At::All(i));
        let t = schedule.clock(at, x.dim(0)?, x.device())?;
        // Detached: no step may keep the graph of the one before.
        let answer = denoise(x, &t)?.detach().to_dtype(DType::F32)?;
        self.finite(&answer, "net's answer", i)?;
        let pull = match self.guide {
            Some(guide) => {
                let pull = guide.pull(x, &t)?.detach().to_dtype(DType::F32)?;
                self.finite(&pull, "guidance gradient", i)?;
                Some(pull)
            }
            None => None,
        };
        match self.sampler {
            Sampler::Ddpm => {
                let posterior = self.reading.posterior(&answer, x, at)?;
                let mean = match &pull {
                    Some(pull) => condition_mean(&posterior, pull)?,
                    None => posterior.mean,
                };
                match i {
                    0 => Ok(mean),
                    _ => ddpm::step(&mean, &posterior.log_variance, &noise()?, at),
                }
            }
            Sampler::Ddim => {
                let mut x0 = self.reading.x0(&answer, x, at)?;
                if let Some(pull) = &pull {
                    x0 = condition_score(schedule, &x0, x, at, pull)?;
                }
                let noise = match self.eta != 0.0 && i != 0 {
                    true => Some(noise()?),
                    false => None,
                };
                ddim::step(schedule, x, &x0, at, self.eta, noise.as_ref())
            }
        }
    }

    /// An infinity or a NaN anywhere makes the sum one.
    fn finite(&self, tensor: &Tensor, what: &str, i: usize) -> Result<()> {
        // Plane by plane first: a GPU makes each sum on one of its processors.
        let planes = tensor.flatten_from(2)?.sum(D::Minus1)?;
        if planes.sum_all()?.to_scalar::<f32>()?.is_finite() {
            return Ok(());
        }
        let schedule = self.reading.schedule;
        let guidance = match self.guide {
            Some(guide) => format!("guidance scale {}", guide.scale()),
            None => "no guidance".to_string(),
        };
        bail!(
            "the {what} is not finite at step {} of {} (timestep {}, {guidance})",
            schedule.len() - i,
            schedule.len(),
            schedule.timestep(i)
        )
    }
}

/// images [n, c, h, w] of [-1, 1] → u8 [n, h, w, c], truncated as the release does.
pub fn to_u8(images: &Tensor) -> Result<Tensor> {
    ((images + 1.0)? * 127.5)?
        .clamp(0.0, 255.0)?
        .to_dtype(DType::U8)?
        .permute((0, 2, 3, 1))?
        .contiguous()
}
