//! Noise schedules and the tables of q(x_t | x_0) and q(x_{t-1} | x_t, x_0), all in f64 (DDPM,
//! arXiv:2006.11239, section 2; IDDPM, arXiv:2102.09672, sections 3.2 and 4).

use crate::diffusion::process::at::At;
use crate::diffusion::process::level::Level;
use crate::diffusion::process::respace::space_timesteps;
use crate::experiment::nets::arch::{NoiseSchedule, Process};
use candle_core::{Device, Result, Tensor, bail};
use std::f64::consts::FRAC_PI_2;

/// Tables indexed by step; index 0 is the last step of denoising.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Timesteps of the original process that are kept, ascending.
    pub timesteps: Vec<usize>,
    /// What a timestep is multiplied by before a net sees it.
    clock: f64,
    /// Variances of q(x_t | x_{t-1}), in (0, 1) (DDPM, equation 2).
    pub betas: Vec<f64>,
    /// Products of 1 - beta up to the step (DDPM, equation 4).
    pub alpha_bar: Vec<f64>,
    /// Of the step before on the way to noise; 1 at index 0.
    pub alpha_bar_prev: Vec<f64>,
    /// Of the step after; 0 at the last index.
    pub alpha_bar_next: Vec<f64>,
    /// sqrt(1 / alpha_bar)
    pub recip: Vec<f64>,
    /// sqrt(1 / alpha_bar - 1)
    pub recipm1: Vec<f64>,
    /// Variance of q(x_{t-1} | x_t, x_0) (DDPM, equation 7).
    pub posterior_variance: Vec<f64>,
    /// Its logarithm; index 0, where the variance is 0, takes index 1's value,
    /// and that of beta where there is none.
    pub posterior_log_variance: Vec<f64>,
    /// Coefficient of x_0 in the posterior mean (DDPM, equation 7).
    pub posterior_x0: Vec<f64>,
    /// Coefficient of x_t in the posterior mean (DDPM, equation 7).
    pub posterior_xt: Vec<f64>,
}

impl Schedule {
    /// The process with only the steps of `spec` kept: a count, `10,10,5`, `ddim25`, or empty for all. Their betas are those
    /// that keep alpha_bar (IDDPM, section 4).
    ///
    /// # Errors
    /// Where `spec` cannot be kept of the process, keeps one step that is not the last, or a beta leaves (0, 1).
    pub fn new(process: &Process, spec: &str) -> Result<Self> {
        let total = process.timesteps;
        let betas = match process.schedule {
            NoiseSchedule::Linear => linear(total),
            NoiseSchedule::Cosine => cosine(total),
        };
        if let Some(beta) = betas.iter().find(|beta| !(**beta > 0.0 && **beta < 1.0)) {
            bail!(
                "timesteps = {total} is too short for the linear schedule: a step's variance is {beta}, and must stay below 1\n\
                 hint: at least 21 timesteps, or schedule = \"cosine\""
            );
        }
        let kept = space_timesteps(total, spec)?;
        if kept.len() < 2 && kept.last() != Some(&(total - 1)) {
            bail!(
                "steps = \"{spec}\" keeps only timestep {:?}, from which no image can be drawn; 2 to {total} steps are allowed\n\
                 hint: with `spacing = \"trailing\"`, one step goes from the noise to the image",
                kept
            );
        }
        let full = cumulative(&betas);
        let mut before = 1.0;
        let respaced = kept
            .iter()
            .map(|&t| 1.0 - full[t] / std::mem::replace(&mut before, full[t]))
            .collect();
        let clock = if process.rescale_timesteps {
            1000.0 / total as f64
        } else {
            1.0
        };
        Self::from_betas(respaced, kept, clock)
    }

    /// Tables of any betas; `timesteps` are what the net is told, times `clock`.
    ///
    /// # Errors
    /// Where there are no betas, or not as many timesteps.
    pub fn from_betas(betas: Vec<f64>, timesteps: Vec<usize>, clock: f64) -> Result<Self> {
        let steps = betas.len();
        if steps == 0 || timesteps.len() != steps {
            bail!(
                "a schedule of {steps} variances and {} timesteps; as many of each, and at least 1, are allowed",
                timesteps.len()
            );
        }
        let alpha_bar = cumulative(&betas);
        let mut alpha_bar_prev = vec![1.0];
        alpha_bar_prev.extend(&alpha_bar[..steps - 1]);
        let mut alpha_bar_next = alpha_bar[1..].to_vec();
        alpha_bar_next.push(0.0);
        let table = |f: &dyn Fn(usize) -> f64| (0..steps).map(f).collect::<Vec<f64>>();
        let posterior_variance =
            table(&|i| betas[i] * (1.0 - alpha_bar_prev[i]) / (1.0 - alpha_bar[i]));
        Ok(Self {
            recip: table(&|i| (1.0 / alpha_bar[i]).sqrt()),
            recipm1: table(&|i| (1.0 / alpha_bar[i] - 1.0).sqrt()),
            posterior_log_variance: table(&|i| match posterior_variance.get(i.max(1)) {
                Some(variance) => variance.ln(),
                // The one step of all adds no noise, whatever its variance.
                None => betas[0].ln(),
            }),
            posterior_x0: table(&|i| betas[i] * alpha_bar_prev[i].sqrt() / (1.0 - alpha_bar[i])),
            posterior_xt: table(&|i| {
                (1.0 - alpha_bar_prev[i]) * (1.0 - betas[i]).sqrt() / (1.0 - alpha_bar[i])
            }),
            timesteps,
            clock,
            betas,
            alpha_bar,
            alpha_bar_prev,
            alpha_bar_next,
            posterior_variance,
        })
    }

    /// S, the number of steps kept; never 0.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.betas.len()
    }

    /// The time that the nets see at step `i`: on the original clock, whatever was kept.
    pub fn timestep(&self, i: usize) -> f32 {
        // In f32, as the nets' reference multiplies.
        self.timesteps[i] as f32 * self.clock as f32
    }

    /// What the nets' clock shows at the end of `timesteps` of the original process.
    pub fn clock_of(&self, timesteps: usize) -> f64 {
        timesteps as f64 * self.clock
    }

    /// The noise level of step `i`.
    pub fn level(&self, i: usize) -> Level {
        Level {
            timestep: f64::from(self.timestep(i)),
            alpha_bar: self.alpha_bar[i],
        }
    }

    /// The nets' `t` `[n]` f32 of a batch of n.
    pub fn clock(&self, at: At, n: usize, device: &Device) -> Result<Tensor> {
        match at {
            At::All(i) => Tensor::full(self.timestep(i), n, device),
            At::Each(places) => {
                let times: Vec<f32> = places.iter().map(|&i| self.timestep(i)).collect();
                Tensor::from_vec(times, n, device)
            }
        }
    }

    /// x0 and noise [n, c, h, w] → x_t, a draw of q(x_t | x_0) (DDPM, equation 4).
    pub fn diffuse(&self, x0: &Tensor, noise: &Tensor, at: At) -> Result<Tensor> {
        let signal = at.scale(x0, |i| self.alpha_bar[i].sqrt())?;
        signal + at.scale(noise, |i| (1.0 - self.alpha_bar[i]).sqrt())?
    }

    /// Mean of q(x_{t-1} | x_t, x_0), [n, c, h, w] (DDPM, equation 7).
    pub fn posterior_mean(&self, x0: &Tensor, x: &Tensor, at: At) -> Result<Tensor> {
        let from_x0 = at.scale(x0, |i| self.posterior_x0[i])?;
        from_x0 + at.scale(x, |i| self.posterior_xt[i])?
    }

    /// The x0 that `eps` stands for, [n, c, h, w] (DDPM, equation 15).
    pub fn x0_of_eps(&self, x: &Tensor, eps: &Tensor, at: At) -> Result<Tensor> {
        at.scale(x, |i| self.recip[i])? - at.scale(eps, |i| self.recipm1[i])?
    }

    /// The x0 that the velocity `v` stands for, [n, c, h, w] (arXiv:2202.00512, appendix D).
    pub fn x0_of_v(&self, x: &Tensor, v: &Tensor, at: At) -> Result<Tensor> {
        let from_x = at.scale(x, |i| self.alpha_bar[i].sqrt())?;
        from_x - at.scale(v, |i| (1.0 - self.alpha_bar[i]).sqrt())?
    }

    /// The velocity alpha eps - sigma x0, [n, c, h, w].
    pub fn velocity(&self, x0: &Tensor, eps: &Tensor, at: At) -> Result<Tensor> {
        let from_eps = at.scale(eps, |i| self.alpha_bar[i].sqrt())?;
        from_eps - at.scale(x0, |i| (1.0 - self.alpha_bar[i]).sqrt())?
    }

    /// The noise that `x0` stands for, [n, c, h, w]: the same, solved for it.
    pub fn eps_of_x0(&self, x: &Tensor, x0: &Tensor, at: At) -> Result<Tensor> {
        let noise = (at.scale(x, |i| self.recip[i])? - x0)?;
        at.divide(&noise, |i| self.recipm1[i])
    }
}

fn cumulative(betas: &[f64]) -> Vec<f64> {
    betas
        .iter()
        .scan(1.0, |product, beta| {
            *product *= 1.0 - beta;
            Some(*product)
        })
        .collect()
}

/// Evenly spread variances, 1e-4 to 0.02 for 1000 steps (DDPM, section 4); scaled for other numbers as the release does.
fn linear(total: usize) -> Vec<f64> {
    let scale = 1000.0 / total as f64;
    let (first, last) = (scale * 1e-4, scale * 0.02);
    let stride = (last - first) / total.saturating_sub(1).max(1) as f64;
    (0..total).map(|i| first + i as f64 * stride).collect()
}

/// alpha_bar falls as a squared cosine, with s = 0.008; variances stop at 0.999 (IDDPM, equation 17).
fn cosine(total: usize) -> Vec<f64> {
    let alpha_bar = |u: f64| ((u + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2);
    let at = |i: usize| alpha_bar(i as f64 / total as f64);
    (0..total)
        .map(|i| (1.0 - at(i + 1) / at(i)).min(0.999))
        .collect()
}
