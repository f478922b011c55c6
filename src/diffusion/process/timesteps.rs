//! Which steps a training batch stands on (the release's schedule samplers; importance sampling as in IDDPM,
//! arXiv:2102.09672, equation 18).

use crate::experiment::file::experiment::ScheduleSampler;
use crate::random::stream::{below, stream, uniform};
use candle_core::{Result, bail};
use std::ops::Range;

/// Losses remembered of each step.
const HISTORY: usize = 10;
/// Share of the probability that stays uniform.
const UNIFORM: f64 = 0.001;

/// Draws steps; under `LossSecondMoment` it learns which matter.
#[derive(Clone, Debug)]
pub struct Timesteps {
    rule: ScheduleSampler,
    history: History,
}

/// What a resumed run needs: the last losses of each step.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// [S * 10], oldest first in each row of 10.
    pub losses: Vec<f64>,
    /// `[S]`, how many of a row are filled.
    pub counts: Vec<u32>,
}

/// Steps and importance weights of a batch, `[n]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    pub places: Vec<usize>,
    /// 1 / (S p): the weighted mean of the losses is the uniform one's estimate.
    pub weights: Vec<f32>,
}

impl Draw {
    /// Those of the images `range` of the batch.
    pub fn part(&self, range: Range<usize>) -> Draw {
        Draw {
            places: self.places[range.clone()].to_vec(),
            weights: self.weights[range].to_vec(),
        }
    }
}

impl Timesteps {
    /// For a schedule of `steps` steps.
    pub fn new(rule: ScheduleSampler, steps: usize) -> Self {
        let rows = match rule {
            ScheduleSampler::Uniform => 0,
            ScheduleSampler::LossSecondMoment => steps * HISTORY,
        };
        Self {
            rule,
            history: History {
                losses: vec![0.0; rows],
                counts: vec![0; steps],
            },
        }
    }

    /// The n steps of training step `step`: a pure function of seed, step and history. A longer batch begins with the same.
    pub fn draw(&self, seed: u64, step: u64, n: usize) -> Draw {
        let mut rng = stream(seed, "timestep", step, 0);
        let steps = self.history.counts.len();
        if !self.warm() {
            return Draw {
                places: (0..n).map(|_| below(&mut rng, steps)).collect(),
                weights: vec![1.0; n],
            };
        }
        let p = self.probabilities();
        let cumulative: Vec<f64> = p
            .iter()
            .scan(0.0, |sum, p| {
                *sum += p;
                Some(*sum)
            })
            .collect();
        let total = cumulative[steps - 1];
        let places: Vec<usize> = (0..n)
            .map(|_| {
                let u = uniform(&mut rng) * total;
                cumulative.partition_point(|c| *c <= u).min(steps - 1)
            })
            .collect();
        let weights = places
            .iter()
            .map(|&i| (1.0 / (steps as f64 * p[i])) as f32)
            .collect();
        Draw { places, weights }
    }

    /// Chance of each step, `[S]`, in proportion to the root of the mean squared loss (IDDPM, equation 18).
    pub fn probabilities(&self) -> Vec<f64> {
        let steps = self.history.counts.len();
        let even = 1.0 / steps as f64;
        if !self.warm() {
            return vec![even; steps];
        }
        let moments: Vec<f64> = self
            .history
            .losses
            .chunks(HISTORY)
            .map(|row| (row.iter().map(|l| l * l).sum::<f64>() / HISTORY as f64).sqrt())
            .collect();
        let total: f64 = moments.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            return vec![even; steps];
        }
        moments
            .iter()
            .map(|m| m / total * (1.0 - UNIFORM) + UNIFORM * even)
            .collect()
    }

    /// Remembers the unweighted losses of a batch, in its order.
    pub fn update(&mut self, places: &[usize], losses: &[f64]) {
        if self.rule == ScheduleSampler::Uniform {
            return;
        }
        for (&i, &loss) in places.iter().zip(losses) {
            let row = &mut self.history.losses[i * HISTORY..(i + 1) * HISTORY];
            let count = &mut self.history.counts[i];
            if *count as usize == HISTORY {
                row.rotate_left(1);
                row[HISTORY - 1] = loss;
            } else {
                row[*count as usize] = loss;
                *count += 1;
            }
        }
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    /// Goes on from a saved history of the same rule and number of steps.
    ///
    /// # Errors
    /// Where the history is of another rule or number of steps.
    pub fn restore(&mut self, history: History) -> Result<()> {
        let (ours, theirs) = (&self.history, &history);
        let shapes = |h: &History| (h.losses.len(), h.counts.len());
        if shapes(ours) != shapes(theirs) {
            bail!(
                "a saved history of {:?} losses and steps does not fit {:?}",
                shapes(theirs),
                shapes(ours)
            );
        }
        if let Some(count) = theirs.counts.iter().find(|c| **c as usize > HISTORY) {
            bail!("a saved history counts {count} losses of one step; 0 to {HISTORY} are allowed");
        }
        self.history = history;
        Ok(())
    }

    /// Every step has a full history.
    fn warm(&self) -> bool {
        self.rule == ScheduleSampler::LossSecondMoment
            && self.history.counts.iter().all(|c| *c as usize == HISTORY)
    }
}
