//! One ancestral step ("Denoising Diffusion Probabilistic Models").

use crate::diffusion::process::at::At;
use candle_core::{Result, Tensor};

/// mean, log_variance and noise [n, c, h, w] → x_{t-1}; step 0 adds no noise.
pub fn step(mean: &Tensor, log_variance: &Tensor, noise: &Tensor, at: At) -> Result<Tensor> {
    let noise = match at {
        At::All(0) => return Ok(mean.clone()),
        At::All(_) => noise.clone(),
        At::Each(_) => at.scale(noise, |i| f64::from(i != 0))?,
    };
    mean + log_variance.affine(0.5, 0.0)?.exp()?.mul(&noise)?
}
