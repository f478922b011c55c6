//! Bits per dimension: the whole variational bound of given images (DDPM, arXiv:2006.11239, equation 5; the
//! release's `image_nll`).

use crate::diffusion::likelihood::terms::{bound_term, prior_term, squared_error};
use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::{Field, Reading};
use crate::diffusion::random::noise::START;
use candle_core::{DType, Result, Tensor};
use std::ops::ControlFlow;

/// Bits per dimension and errors; rows are images, columns are steps, the noisiest first.
pub struct Bits {
    /// `[n]`, the whole bound.
    pub total: Tensor,
    /// `[n]`, its part that no net changes.
    pub prior: Tensor,
    /// [n, S], its terms.
    pub vb: Tensor,
    /// [n, S], mean squared error of x0.
    pub xstart_mse: Tensor,
    /// [n, S], mean squared error of the noise.
    pub mse: Tensor,
}

/// x0 [n, c, h, w] in [-1, 1] → its bits, or None when `tick` broke off.
/// `denoise` (x, t) → [n, c or 2c, h, w]; `noise` (step id) → [n, c, h, w], with `1 + k` for the k-th step.
pub fn bits_per_dim(
    reading: Reading,
    x0: &Tensor,
    denoise: &Field,
    noise: &dyn Fn(u64) -> Result<Tensor>,
    tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Bits>> {
    let schedule = reading.schedule;
    let (mut vb, mut xstart_mse, mut mse) = (Vec::new(), Vec::new(), Vec::new());
    for (done, i) in (0..schedule.len()).rev().enumerate() {
        let at = At::All(i);
        let noise = noise(START + 1 + done as u64)?;
        let x = schedule.diffuse(x0, &noise, at)?;
        let t = schedule.clock(at, x.dim(0)?, x.device())?;
        let answer = denoise(&x, &t)?.detach().to_dtype(DType::F32)?;
        let posterior = reading.posterior(&answer, &x, at)?;
        vb.push(bound_term(schedule, &posterior, x0, &x, at)?);
        xstart_mse.push(squared_error(&posterior.x0, x0)?);
        let eps = schedule.eps_of_x0(&x, &posterior.x0, at)?;
        mse.push(squared_error(&eps, &noise)?);
        if tick(done).is_break() {
            return Ok(None);
        }
    }
    let prior = prior_term(schedule, x0)?;
    let vb = Tensor::stack(&vb, 1)?;
    Ok(Some(Bits {
        total: (vb.sum(1)? + &prior)?,
        prior,
        vb,
        xstart_mse: Tensor::stack(&xstart_mse, 1)?,
        mse: Tensor::stack(&mse, 1)?,
    }))
}
