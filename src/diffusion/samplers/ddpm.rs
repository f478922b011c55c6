//! `ddpm`: ancestral sampling ("Denoising Diffusion Probabilistic Models", arXiv:2006.11239, algorithm 2), guided by the mean
//! of each step (arXiv:2105.05233, algorithm 1).

use crate::diffusion::process::at::At;
use crate::diffusion::samplers::guided::Guided;
use crate::diffusion::samplers::sampler::Sampler;
use candle_core::{Result, Tensor};

/// It remembers nothing between steps.
pub struct Ddpm;

impl Sampler for Ddpm {
    fn step(
        &mut self,
        net: &Guided,
        x: &Tensor,
        i: usize,
        noise: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let posterior = net.posterior(x, i)?;
        match i {
            0 => Ok(posterior.mean),
            _ => step(
                &posterior.mean,
                &posterior.log_variance,
                &noise()?,
                At::All(i),
            ),
        }
    }
}

/// mean, log_variance and noise [n, c, h, w] → x_{t-1}; step 0 adds no noise.
pub fn step(mean: &Tensor, log_variance: &Tensor, noise: &Tensor, at: At) -> Result<Tensor> {
    let noise = match at {
        At::All(0) => return Ok(mean.clone()),
        At::All(_) => noise.clone(),
        At::Each(_) => at.scale(noise, |i| f64::from(i != 0))?,
    };
    mean + log_variance.affine(0.5, 0.0)?.exp()?.mul(&noise)?
}
