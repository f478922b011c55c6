//! Noise levels between the timesteps of a process, and the ways to spread a few of them (DPM-Solver, arXiv:2206.00927,
//! section 3.4 and appendix D; the choices are those of its authors' program).

use crate::diffusion::process::level::Level;
use crate::diffusion::process::schedule::Schedule;
use crate::experiment::file::experiment::Spacing;
use crate::experiment::nets::arch::Process;
use candle_core::{Result, bail};

/// The smallest lambda that is used. A cosine schedule's last timesteps lie below: the program cuts them off, and so do we.
const LEAST_LAMBDA: f64 = -5.1;

/// A process in time t of (0, 1]: ln alpha is linear between its timesteps, which stand at t = (n + 1) / N.
#[derive(Clone, Debug)]
pub struct Continuous {
    /// ln alpha of timestep n.
    log_alpha: Vec<f64>,
    /// What the nets' clock goes in one unit of t.
    clock: f64,
}

impl Continuous {
    /// # Errors
    /// Where the process makes no schedule.
    pub fn new(process: &Process) -> Result<Self> {
        let full = Schedule::new(process, "")?;
        let lambda = |n: &usize| full.level(*n).lambda();
        let kept = (0..full.len()).take_while(|n| lambda(n) >= LEAST_LAMBDA);
        let log_alpha: Vec<f64> = kept.map(|n| 0.5 * full.alpha_bar[n].ln()).collect();
        if log_alpha.len() < 2 {
            bail!("the process has fewer than 2 timesteps with an image left in them");
        }
        Ok(Self {
            log_alpha,
            clock: full.clock_of(process.timesteps),
        })
    }

    /// N, the timesteps that are used: those whose noise leaves an image to be seen.
    pub fn timesteps(&self) -> usize {
        self.log_alpha.len()
    }

    /// `steps` + 1 levels from the noise, t = 1, down to t = 1 / N.
    ///
    /// # Errors
    /// Where the spacing is not one in time or in lambda.
    pub fn levels(&self, spacing: Spacing, steps: usize) -> Result<Vec<Level>> {
        let (first, last) = (1.0, 1.0 / self.timesteps() as f64);
        let (most, least) = (self.lambda(last), self.lambda(first));
        let share = |k: usize| k as f64 / steps as f64;
        let time = |k: usize| match spacing {
            _ if k == 0 => Ok(first),
            _ if k == steps => Ok(last),
            Spacing::Time => Ok(first + (last - first) * share(k)),
            Spacing::Quadratic => {
                let root = first.sqrt() + (last.sqrt() - first.sqrt()) * share(k);
                Ok(root * root)
            }
            Spacing::LogSnr => Ok(self.time(least + (most - least) * share(k))),
            Spacing::Edm | Spacing::Iddpm | Spacing::Linspace | Spacing::Trailing => {
                bail!("spacing = \"{}\" is one of other samplers", spacing.name())
            }
        };
        (0..=steps).map(|k| Ok(self.level(time(k)?))).collect()
    }

    /// The level at time `t`.
    pub fn level(&self, t: f64) -> Level {
        let n = self.timesteps() as f64;
        Level {
            timestep: (t - 1.0 / n) * self.clock,
            alpha_bar: (2.0 * self.log_alpha(t)).exp(),
        }
    }

    fn lambda(&self, t: f64) -> f64 {
        self.level(t).lambda()
    }

    /// Linear between the timesteps, and on beyond them.
    fn log_alpha(&self, t: f64) -> f64 {
        let n = self.timesteps();
        let place = t * n as f64 - 1.0;
        let below = (place.floor().max(0.0) as usize).min(n - 2);
        let (low, high) = (self.log_alpha[below], self.log_alpha[below + 1]);
        low + (high - low) * (place - below as f64)
    }

    /// The time at which lambda is this.
    fn time(&self, lambda: f64) -> f64 {
        // ln alpha = -ln(1 + exp(-2 lambda)) / 2
        let asked = -0.5 * (-2.0 * lambda).exp().ln_1p();
        let n = self.timesteps();
        // Falling: the first timestep below what is asked.
        let above = self
            .log_alpha
            .partition_point(|&log_alpha| log_alpha > asked);
        let below = above.clamp(1, n - 1) - 1;
        let (high, low) = (self.log_alpha[below], self.log_alpha[below + 1]);
        (below as f64 + 1.0 + (high - asked) / (high - low)) / n as f64
    }
}
