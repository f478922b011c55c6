//! A net under guidance, as samplers ask it: for the posterior of a step, or for x0 alone.

use crate::diffusion::guidance::finite::Checks;
use crate::diffusion::guidance::rule::{Guidance, Point, Steered};
use crate::diffusion::process::at::At;
use crate::diffusion::process::level::Place;
use crate::diffusion::process::posterior::{Field, Posterior, Reading};
use crate::diffusion::process::schedule::Schedule;
use candle_core::{Result, Tensor};

/// A net, the way its answers are read, and the rule that guides it.
pub struct Guided<'a> {
    pub reading: Reading<'a>,
    /// (x, t) → [n, c or 2c, h, w]
    pub net: &'a Field<'a>,
    /// None draws unguided and runs no other net.
    pub guidance: Option<&'a dyn Guidance>,
    /// Whether all stays finite; settled by whoever draws.
    pub checks: Checks,
}

/// What a step goes toward.
pub struct Prediction {
    /// [n, c, h, w]
    pub x0: Tensor,
    /// The noise [n, c, h, w] that the step keeps, where it is not the one that x0 stands for.
    pub noise: Option<Tensor>,
}

impl Guided<'_> {
    pub fn schedule(&self) -> &Schedule {
        self.reading.schedule
    }

    /// Where step `i` of the schedule stands.
    pub fn place(&self, i: usize) -> Place {
        let steps = self.schedule().len();
        let level = self.schedule().level(i);
        Place {
            level,
            begun: level,
            step: steps - i,
            steps,
        }
    }

    /// p(x_{i-1} | x_i) at step `i` of the schedule for x [n, c, h, w], its mean guided.
    ///
    /// # Errors
    /// Those of the nets, and an answer or a guiding term that is not finite.
    pub fn posterior(&self, x: &Tensor, i: usize) -> Result<Posterior> {
        let (place, t) = (self.place(i), self.clock(x, &self.place(i))?);
        let point = self.point(x, &t, &place);
        let answer = self.steer(&point)?.answer;
        let mut posterior = self.reading.posterior(&answer, x, At::All(i))?;
        if let Some(guidance) = self.guidance {
            posterior.mean = guidance.mean(&posterior, &point)?;
        }
        Ok(posterior)
    }

    /// The guided x0 at step `i` of the schedule for x [n, c, h, w]. Clamped, as `reading` asks for it, before it is guided
    /// by a gradient.
    ///
    /// # Errors
    /// As [`Guided::posterior`].
    pub fn x0(&self, x: &Tensor, i: usize) -> Result<Prediction> {
        let (place, t) = (self.place(i), self.clock(x, &self.place(i))?);
        let point = self.point(x, &t, &place);
        let Steered { answer, noise } = self.steer(&point)?;
        let mut x0 = self.reading.x0(&answer, x, At::All(i))?;
        if let Some(guidance) = self.guidance {
            x0 = guidance.x0(x0, &point)?;
        }
        Ok(Prediction { x0, noise })
    }

    /// The guided x0 [n, c, h, w] at any level. Clamped, as `reading` asks for it, after it is guided, as the programs of
    /// DPM-Solver and UniPC do.
    ///
    /// # Errors
    /// As [`Guided::posterior`]; a net that answers with the mean of a step.
    pub fn denoised(&self, x: &Tensor, place: &Place) -> Result<Tensor> {
        let t = self.clock(x, place)?;
        let point = self.point(x, &t, place);
        let answer = self.steer(&point)?.answer;
        let mut x0 = self.reading.output.x0_at(place.level, &answer, x)?;
        if let Some(guidance) = self.guidance {
            x0 = guidance.x0(x0, &point)?;
        }
        self.reading.clamp.of(x0)
    }

    /// # Errors
    /// Where the images x [n, c, h, w] that a step led to hold an infinity or a NaN; on a GPU a later check may tell it.
    pub fn finite(&self, x: &Tensor, place: &Place) -> Result<()> {
        let t = self.clock(x, place)?;
        self.point(x, &t, place).finite(x, "image")
    }

    fn steer(&self, point: &Point) -> Result<Steered> {
        let steered = match self.guidance {
            Some(guidance) => guidance.steer(self.net, point)?,
            None => Steered::plain((self.net)(point.x, point.t)?),
        };
        // Detached: no step may keep the graph of the one before.
        let answer = steered.answer.detach().to_dtype(point.x.dtype())?;
        point.finite(&answer, "net's answer")?;
        Ok(Steered { answer, ..steered })
    }

    /// The nets' `t` `[n]`.
    fn clock(&self, x: &Tensor, place: &Place) -> Result<Tensor> {
        Tensor::full(place.level.timestep as f32, x.dim(0)?, x.device())
    }

    fn point<'p>(&'p self, x: &'p Tensor, t: &'p Tensor, place: &Place) -> Point<'p> {
        Point {
            place: *place,
            output: self.reading.output,
            clamp: self.reading.clamp,
            x,
            t,
            scale: self.guidance.map(Guidance::scale),
            checks: &self.checks,
        }
    }
}
