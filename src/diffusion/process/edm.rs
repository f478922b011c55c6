//! EDM's noise levels on a net that was trained on timesteps ("Elucidating the Design Space of Diffusion-Based Generative
//! Models", arXiv:2206.00364, table 1 and appendix C.3.4): sigma is noise over signal, and stands on whole timesteps.

use crate::diffusion::process::level::Level;
use crate::diffusion::process::schedule::Schedule;
use crate::experiment::file::experiment::Spacing;
use crate::experiment::nets::arch::{NoiseSchedule, Process};
use candle_core::{Result, bail};

/// Curvature of the spacing by sigma (equation 5).
const RHO: f64 = 7.0;

/// The largest sigma on a cosine schedule, as EDM's program has it for each spacing: beyond it there is only noise to see,
/// and the schedule goes on to 20,291.
const LARGEST_EDM: f64 = 80.0;
const LARGEST_IDDPM: f64 = 81.0;

/// The levels that a net knows.
#[derive(Clone, Debug)]
pub struct Sigmas {
    /// Of every timestep, rising.
    levels: Vec<Level>,
    schedule: NoiseSchedule,
}

impl Sigmas {
    /// # Errors
    /// Where the process makes no schedule.
    pub fn new(process: &Process) -> Result<Self> {
        let full = Schedule::new(process, "")?;
        Ok(Self {
            levels: (0..full.len()).map(|n| full.level(n)).collect(),
            schedule: process.schedule,
        })
    }

    /// `steps` levels, from the noise to the last before the image.
    ///
    /// # Errors
    /// Where there are fewer than 2 or more steps than timesteps, or the spacing is not one of EDM's.
    pub fn levels(&self, spacing: Spacing, steps: usize) -> Result<Vec<Level>> {
        let limit = match (self.schedule, spacing) {
            (NoiseSchedule::Linear, _) => f64::INFINITY,
            (NoiseSchedule::Cosine, Spacing::Iddpm) => LARGEST_IDDPM,
            (NoiseSchedule::Cosine, _) => LARGEST_EDM,
        };
        // Spread to the limit itself, then rounded to a level: the noisiest may lie a little above it.
        let below = self
            .levels
            .partition_point(|level| level.noise_ratio() <= limit);
        let all = below.max(2).min(self.levels.len());
        if !(2..=all).contains(&steps) {
            bail!("steps = {steps}; 2 to {all} are allowed");
        }
        let share = |k: usize| k as f64 / (steps - 1) as f64;
        let noisiest = self.levels[self.levels.len() - 1].noise_ratio();
        let (least, most) = (self.levels[0].noise_ratio(), noisiest.min(limit));
        let level = |k: usize| match spacing {
            Spacing::Edm => {
                let (from, to) = (most.powf(1.0 / RHO), least.powf(1.0 / RHO));
                Ok(self.nearest((from + share(k) * (to - from)).powf(RHO)))
            }
            Spacing::Iddpm => {
                let place = ((all - 1) as f64 / (steps - 1) as f64 * k as f64).round_ties_even();
                Ok(self.levels[all - 1 - place as usize])
            }
            _ => {
                bail!(
                    "spacing = \"{}\" is not one of EDM's samplers",
                    spacing.name()
                )
            }
        };
        (0..steps).map(level).collect()
    }

    /// The level whose sigma is nearest: the nets know no others.
    pub fn nearest(&self, sigma: f64) -> Level {
        let above = self
            .levels
            .partition_point(|level| level.noise_ratio() < sigma);
        let near = above.min(self.levels.len() - 1);
        let before = self.levels[near.saturating_sub(1)];
        let gap = |level: Level| (level.noise_ratio() - sigma).abs();
        // Of two that are as near, the noisier one, which stands first in EDM's table.
        if gap(before) < gap(self.levels[near]) {
            before
        } else {
            self.levels[near]
        }
    }
}
