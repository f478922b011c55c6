//! How strongly a rule steers at a step: its scale, how the scale goes over the draw, and where it steers at all.

use crate::diffusion::process::level::{Level, Place};
use crate::experiment::file::drawing::rules::Course;
use std::f64::consts::PI;

/// The scale of a rule at every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// The scale at the image, or everywhere where it is constant.
    pub scale: f64,
    /// The scale that steers nothing: 1 for rules that extrapolate between two answers, 0 for those that add a gradient.
    pub idle: f64,
    /// How the scale goes from `idle` at the noise to `scale` at the image.
    pub course: Course,
    /// Power of the cosine course ("Masked Diffusion Transformer is a Strong Image Synthesizer", arXiv:2303.14389).
    pub power: f64,
    /// T on the nets' clock: where the draw begins.
    pub clock: f64,
    /// The timesteps on the nets' clock at which the rule steers, both included; none for everywhere.
    pub interval: Option<[f64; 2]>,
}

impl Strength {
    /// The same scale at every step.
    pub fn constant(scale: f64, idle: f64) -> Self {
        Self {
            scale,
            idle,
            course: Course::Constant,
            power: 1.0,
            clock: 1.0,
            interval: None,
        }
    }

    /// The scale at a step; none where the rule does not steer. A step that asks the net twice is inside or outside as a
    /// whole, by where it began ("Applying Guidance in a Limited Interval", arXiv:2404.07724, section 3).
    pub fn at(&self, place: &Place) -> Option<f64> {
        if let Some([low, high]) = self.interval
            && !(low..=high).contains(&place.begun.timestep)
        {
            return None;
        }
        let scale = self.idle + (self.scale - self.idle) * self.share(place.begun);
        (scale != self.idle).then_some(scale)
    }

    /// Share of the way from `idle` to `scale` at a level.
    fn share(&self, level: Level) -> f64 {
        // 0 at the noise, 1 at the image.
        let progress = (1.0 - level.timestep / self.clock).clamp(0.0, 1.0);
        match self.course {
            Course::Constant => 1.0,
            Course::Linear => progress,
            Course::Cosine => 0.5 * (1.0 - (PI * progress.powf(self.power)).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(timestep: f64) -> Place {
        let level = Level {
            timestep,
            alpha_bar: 0.5,
        };
        Place {
            level,
            begun: level,
            step: 1,
            steps: 1,
        }
    }

    #[test]
    fn a_scale_rises_from_idle_to_itself() {
        let mut strength = Strength {
            clock: 1000.0,
            ..Strength::constant(5.0, 1.0)
        };
        assert_eq!(strength.at(&place(900.0)), Some(5.0));
        strength.course = Course::Linear;
        let linear = [1000.0, 750.0, 0.0].map(|t| strength.at(&place(t)));
        assert_eq!(linear, [None, Some(2.0), Some(5.0)]);
        strength.course = Course::Cosine;
        assert_eq!(strength.at(&place(500.0)), Some(3.0));
    }

    #[test]
    fn an_interval_has_both_its_ends() {
        let strength = Strength {
            interval: Some([250.0, 750.0]),
            ..Strength::constant(2.0, 0.0)
        };
        let inside = [249.0, 250.0, 750.0, 750.5].map(|t| strength.at(&place(t)).is_some());
        assert_eq!(inside, [false, true, true, false]);
    }
}
