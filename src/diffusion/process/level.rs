//! A noise level between image and noise, on a schedule's timestep or between two.

use candle_core::{Result, Tensor};

/// x = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps, and the time that the nets are told of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// On the nets' clock, which may stand between two whole timesteps.
    pub timestep: f64,
    /// In (0, 1): near 1 at the image, near 0 at the noise.
    pub alpha_bar: f64,
}

impl Level {
    /// Factor of x0 in x.
    pub fn alpha(self) -> f64 {
        self.alpha_bar.sqrt()
    }

    /// Factor of the noise in x.
    pub fn sigma(self) -> f64 {
        (1.0 - self.alpha_bar).sqrt()
    }

    /// Half the logarithm of the signal-to-noise ratio: ln alpha - ln sigma (DPM-Solver, arXiv:2206.00927, section 3.1).
    pub fn lambda(self) -> f64 {
        0.5 * (self.alpha_bar.ln() - (-self.alpha_bar).ln_1p())
    }

    /// Noise beside a signal of size 1: sigma / alpha, EDM's sigma (arXiv:2206.00364, section 2).
    pub fn noise_ratio(self) -> f64 {
        (1.0 / self.alpha_bar - 1.0).sqrt()
    }

    /// The x0 that `eps` stands for in x, all [n, c, h, w] (DDPM, arXiv:2006.11239, equation 15).
    pub fn x0_of_eps(self, x: &Tensor, eps: &Tensor) -> Result<Tensor> {
        x.affine((1.0 / self.alpha_bar).sqrt(), 0.0)? - eps.affine(self.noise_ratio(), 0.0)?
    }

    /// The noise that `x0` stands for: the same, solved for it.
    pub fn eps_of_x0(self, x: &Tensor, x0: &Tensor) -> Result<Tensor> {
        let noise = (x.affine((1.0 / self.alpha_bar).sqrt(), 0.0)? - x0)?;
        noise.affine(1.0 / self.noise_ratio(), 0.0)
    }
}

/// Where a step of a draw stands: its level, and which step of how many it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub level: Level,
    /// Where the step began: a step that asks the net twice decides by it.
    pub begun: Level,
    /// Counted from 1 at the noise.
    pub step: usize,
    pub steps: usize,
}
