//! Training losses of a denoising net (L_simple: DDPM, arXiv:2006.11239, equation 14; L_hybrid: IDDPM,
//! arXiv:2102.09672, equation 16).

use crate::diffusion::likelihood::terms::{bound_term, squared_error};
use crate::diffusion::process::at::At;
use crate::diffusion::process::clamp::Clamp;
use crate::diffusion::process::posterior::{Mean, Output, Reading};
use crate::diffusion::process::schedule::Schedule;
use candle_core::{Result, Tensor};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// Squared error and, where the variance is learned, the bound's term (L_hybrid at T = 1000).
    #[default]
    Mse,
    /// The bound's term times S / 1000.
    RescaledMse,
    /// The bound's term alone.
    Kl,
    /// The bound's term times S: an estimate of the whole bound.
    RescaledKl,
}

/// The most that `velocity_weight` makes of the noise's error: the last steps are next to pure noise.
const MOST: f64 = 100.0;

/// What the squared error of a net's mean part counts at step `i` so that it is the error of
/// v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0 ("Progressive Distillation for Fast Sampling of Diffusion Models",
/// arXiv:2202.00512, section 4); the noise's error counts at most 100.
pub fn velocity_weight(schedule: &Schedule, mean: Mean, i: usize) -> f64 {
    let a = schedule.alpha_bar[i];
    let of_noise = (1.0 / a).min(MOST);
    let of_x0 = of_noise * a / (1.0 - a);
    match mean {
        Mean::Epsilon => of_noise,
        Mean::StartX => of_x0,
        Mean::Velocity => 1.0,
        // x0 has this share in the posterior's mean.
        Mean::PreviousX => of_x0 / schedule.posterior_x0[i].powi(2),
    }
}

/// A batch on its way to noise; tensors [n, c, h, w].
pub struct Noised<'a> {
    pub x0: &'a Tensor,
    pub noise: &'a Tensor,
    /// What the net is shown.
    pub x: Tensor,
    /// The step of each image.
    pub places: &'a [usize],
}

impl<'a> Noised<'a> {
    pub fn new(
        schedule: &Schedule,
        x0: &'a Tensor,
        noise: &'a Tensor,
        places: &'a [usize],
    ) -> Result<Self> {
        let x = schedule.diffuse(x0, noise, At::Each(places))?;
        Ok(Self {
            x0,
            noise,
            x,
            places,
        })
    }
}

/// Each `[n]`, with gradients into the net's answer; `loss` is the sum of the terms it has.
pub struct Losses {
    pub loss: Tensor,
    pub mse: Option<Tensor>,
    /// The bound's term, as weighted in `loss`.
    pub vb: Option<Tensor>,
}

/// answer [n, c or 2c, h, w] to `batch.x` → the losses of each image.
pub fn training_losses(
    loss: Loss,
    schedule: &Schedule,
    output: Output,
    batch: &Noised,
    answer: &Tensor,
) -> Result<Losses> {
    let (mean, variance) = output.split(answer, &batch.x)?;
    let at = At::Each(batch.places);
    let reading = Reading {
        schedule,
        output,
        clamp: Clamp::None,
    };
    let bound = |mean: &Tensor| {
        let posterior = reading.posterior_of(mean, variance.as_ref(), &batch.x, at)?;
        bound_term(schedule, &posterior, batch.x0, &batch.x, at)
    };
    let steps = schedule.len() as f64;
    if matches!(loss, Loss::Kl | Loss::RescaledKl) {
        let weight = if loss == Loss::Kl { 1.0 } else { steps };
        return Ok(Losses {
            loss: bound(&mean)?.affine(weight, 0.0)?,
            mse: None,
            vb: None,
        });
    }
    let target = match output.mean {
        Mean::Epsilon => batch.noise.clone(),
        Mean::StartX => batch.x0.clone(),
        Mean::Velocity => schedule.velocity(batch.x0, batch.noise, at)?,
        Mean::PreviousX => schedule.posterior_mean(batch.x0, &batch.x, at)?,
    };
    let mse = squared_error(&target, &mean)?;
    if variance.is_none() {
        return Ok(Losses {
            loss: mse.clone(),
            mse: Some(mse),
            vb: None,
        });
    }
    // The bound's gradient reaches the variance only (IDDPM, section 3.1): through the mean it is too noisy.
    let weight = match loss {
        Loss::RescaledMse => steps / 1000.0,
        _ => 1.0,
    };
    let vb = bound(&mean.detach())?.affine(weight, 0.0)?;
    Ok(Losses {
        loss: (&mse + &vb)?,
        mse: Some(mse),
        vb: Some(vb),
    })
}
