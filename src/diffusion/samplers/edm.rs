//! `heun` and `euler`: EDM's sampler on the levels of a net that was trained on timesteps (arXiv:2206.00364, algorithm 2).
//! Its x is x0 + sigma noise; between the steps stands x / sqrt(1 + sigma²), which is what such a net sees.

use crate::diffusion::process::edm::Sigmas;
use crate::diffusion::process::level::{Level, Place};
use crate::diffusion::samplers::guided::Guided;
use crate::diffusion::samplers::sampler::{Sampler, on};
use candle_core::{Result, Tensor};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Noise that is added before a step, and removed by it (algorithm 2; its S_noise is the temperature of the draw).
#[derive(Clone, Debug, PartialEq)]
pub struct Churn {
    /// S_churn, 0 for none.
    pub amount: f64,
    /// S_tmin to S_tmax: the sigmas at which it is added.
    pub sigmas: RangeInclusive<f64>,
}

/// How a step is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Euler,
    /// Asks the net again at the end of the step, except at the last.
    Heun,
}

/// One batch's draw. It remembers nothing between steps.
pub struct Edm {
    pub levels: Arc<[Level]>,
    pub sigmas: Arc<Sigmas>,
    pub order: Order,
    pub churn: Churn,
}

impl Edm {
    /// The level of step `k` with more noise, where some is added.
    fn churned(&self, k: usize) -> Level {
        let level = self.levels[k];
        let sigma = level.noise_ratio();
        if self.churn.amount == 0.0 || !self.churn.sigmas.contains(&sigma) {
            return level;
        }
        let most = 2f64.sqrt() - 1.0;
        let gamma = (self.churn.amount / self.levels.len() as f64).min(most);
        self.sigmas.nearest(sigma * (1.0 + gamma))
    }
}

/// EDM's scale of a level: sqrt(1 + sigma²).
fn scale(level: Level) -> f64 {
    1.0 / level.alpha()
}

impl Sampler for Edm {
    fn place(&self, _: &Guided, i: usize) -> Place {
        on(&self.levels, i)
    }

    fn steps(&self, _: &Guided) -> usize {
        self.levels.len()
    }

    fn step(
        &mut self,
        net: &Guided,
        x: &Tensor,
        i: usize,
        noise: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let place = self.place(net, i);
        let k = self.levels.len() - 1 - i;
        // The first x is noise of size 1 alone.
        let mut x = if k == 0 {
            (x * place.level.noise_ratio())?
        } else {
            (x * scale(place.level))?
        };
        let from = self.churned(k);
        let sigma = from.noise_ratio();
        if from != place.level {
            let added = sigma.powi(2) - place.level.noise_ratio().powi(2);
            x = (x + (noise()? * added.max(0.0).sqrt())?)?;
        }
        let seen = |x: &Tensor, level: Level| x.affine(level.alpha(), 0.0);
        let place = Place {
            level: from,
            ..place
        };
        let x0 = net.denoised(&seen(&x, from)?, &place)?;
        let Some(&to) = self.levels.get(k + 1) else {
            return Ok(x0);
        };
        // (x - x0) / sigma is the slope; written so that x keeps only the share of its rounding that it keeps of itself.
        let share = to.noise_ratio() / sigma;
        let first = ((&x * share)? + (&x0 * (1.0 - share))?)?;
        if self.order == Order::Euler {
            return seen(&first, to);
        }
        let place = Place { level: to, ..place };
        let end = net.denoised(&seen(&first, to)?, &place)?;
        let half = 0.5 * (to.noise_ratio() - sigma);
        let slope = ((&x - x0)? * (1.0 / sigma))?;
        let other = ((first - end)? * (1.0 / to.noise_ratio()))?;
        seen(&(x + ((slope + other)? * half)?)?, to)
    }
}
