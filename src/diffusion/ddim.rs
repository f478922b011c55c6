//! One implicit step, and its inverse ("Denoising Diffusion Implicit Models").

use crate::diffusion::at::At;
use crate::diffusion::schedule::Schedule;
use candle_core::{Result, Tensor};

/// The standard deviation of the noise that a step adds; `eta` 0 adds none, 1 as much as an ancestral step.
pub fn sigma(schedule: &Schedule, eta: f64, i: usize) -> f64 {
    let (now, prev) = (schedule.alpha_bar[i], schedule.alpha_bar_prev[i]);
    eta * ((1.0 - prev) / (1.0 - now)).sqrt() * (1.0 - now / prev).sqrt()
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
    let toward = at.scale(x0, |i| schedule.alpha_bar_prev[i].sqrt())?;
    let along = at.scale(&eps, |i| {
        // At step 0, rounding may leave this a hair below zero.
        let left = 1.0 - schedule.alpha_bar_prev[i] - sigma(schedule, eta, i).powi(2);
        left.max(0.0).sqrt()
    })?;
    let mean = (toward + along)?;
    match noise {
        Some(noise) if eta != 0.0 => {
            let spread = |i| match i {
                0 => 0.0,
                _ => sigma(schedule, eta, i),
            };
            mean + at.scale(noise, spread)?
        }
        _ => Ok(mean),
    }
}

/// x [n, c, h, w] and its x0 → x_{t+1}, with eta 0: an image on its way to its noise.
pub fn reverse(schedule: &Schedule, x: &Tensor, x0: &Tensor, at: At) -> Result<Tensor> {
    let eps = schedule.eps_of_x0(x, x0, at)?;
    let toward = at.scale(x0, |i| schedule.alpha_bar_next[i].sqrt())?;
    toward + at.scale(&eps, |i| (1.0 - schedule.alpha_bar_next[i]).sqrt())?
}
