//! `ddim`: implicit sampling ("Denoising Diffusion Implicit Models", arXiv:2010.02502, equation 12), guided by the noise that
//! each x0 stands for (arXiv:2105.05233, algorithm 2); and its inverse.

use crate::diffusion::process::at::At;
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::samplers::guided::{Guided, Prediction};
use crate::diffusion::samplers::sampler::Sampler;
use candle_core::{Result, Tensor};

/// It remembers nothing between steps.
pub struct Ddim {
    /// Share of an ancestral step's noise, 0 to 1.
    pub eta: f64,
}

impl Sampler for Ddim {
    fn step(
        &mut self,
        net: &Guided,
        x: &Tensor,
        i: usize,
        noise: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Prediction { x0, noise: kept } = net.x0(x, i)?;
        let (schedule, at) = (net.schedule(), At::All(i));
        let adds = self.eta != 0.0 && i != 0;
        let noise = adds.then(noise).transpose()?;
        let kept = match kept {
            Some(kept) => kept,
            None => schedule.eps_of_x0(x, &x0, at)?,
        };
        along(schedule, &x0, &kept, at, self.eta, noise.as_ref())
    }
}

/// Standard deviation of the noise that a step adds (equation 16: `eta` 0 adds none, 1 as much as an ancestral step), and the
/// weight of the direction to x_t. In f32 from the tables' values, as the release computes them: near the ends their rounding shows.
fn weights(schedule: &Schedule, eta: f64, i: usize) -> (f32, f32) {
    let now = schedule.alpha_bar[i] as f32;
    let prev = schedule.alpha_bar_prev[i] as f32;
    let sigma = eta as f32 * ((1.0 - prev) / (1.0 - now)).sqrt() * (1.0 - now / prev).sqrt();
    let left = 1.0 - prev - sigma * sigma;
    (sigma, left.max(0.0).sqrt())
}

/// x [n, c, h, w] and its (possibly guided) x0 → x_{t-1}. `noise` may be None where `eta` is 0; step 0 adds none.
pub fn step(
    schedule: &Schedule,
    x: &Tensor,
    x0: &Tensor,
    at: At,
    eta: f64,
    noise: Option<&Tensor>,
) -> Result<Tensor> {
    let eps = schedule.eps_of_x0(x, x0, at)?;
    along(schedule, x0, &eps, at, eta, noise)
}

/// The same for any noise `eps` [n, c, h, w] that the step keeps.
fn along(
    schedule: &Schedule,
    x0: &Tensor,
    eps: &Tensor,
    at: At,
    eta: f64,
    noise: Option<&Tensor>,
) -> Result<Tensor> {
    let toward = at.scale(x0, |i| schedule.alpha_bar_prev[i].sqrt())?;
    let kept = at.scale(eps, |i| f64::from(weights(schedule, eta, i).1))?;
    let mean = (toward + kept)?;
    match noise {
        Some(noise) if eta != 0.0 => {
            let spread = |i| match i {
                0 => 0.0,
                _ => f64::from(weights(schedule, eta, i).0),
            };
            mean + at.scale(noise, spread)?
        }
        _ => Ok(mean),
    }
}

/// x [n, c, h, w] and its x0 → x_{t+1}, with eta 0 (section 4.3): an image on its way to its noise.
pub fn reverse(schedule: &Schedule, x: &Tensor, x0: &Tensor, at: At) -> Result<Tensor> {
    let eps = schedule.eps_of_x0(x, x0, at)?;
    let toward = at.scale(x0, |i| schedule.alpha_bar_next[i].sqrt())?;
    let weight = |i: usize| (1.0 - schedule.alpha_bar_next[i] as f32).sqrt();
    toward + at.scale(&eps, |i| f64::from(weight(i)))?
}
