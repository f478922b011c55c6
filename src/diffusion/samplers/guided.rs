//! A net under guidance, as samplers ask it: for the posterior of a step, or for x0 alone.

use crate::diffusion::guidance::rule::{Guidance, Point};
use crate::diffusion::process::at::At;
use crate::diffusion::process::posterior::{Field, Posterior, Reading};
use crate::diffusion::process::schedule::Schedule;
use candle_core::{DType, Result, Tensor};

/// A net, the way its answers are read, and the rule that guides it.
pub struct Guided<'a> {
    pub reading: Reading<'a>,
    /// (x, t) → [n, c or 2c, h, w]
    pub net: &'a Field<'a>,
    /// None draws unguided and runs no other net.
    pub guidance: Option<&'a dyn Guidance>,
}

impl Guided<'_> {
    pub fn schedule(&self) -> &Schedule {
        self.reading.schedule
    }

    /// p(x_{i-1} | x_i) at step `i` of the schedule for x [n, c, h, w], its mean guided.
    ///
    /// # Errors
    /// Those of the nets, and an answer or a guiding term that is not finite.
    pub fn posterior(&self, x: &Tensor, i: usize) -> Result<Posterior> {
        let t = self.clock(x, i)?;
        let point = self.point(x, &t, i);
        let answer = self.answer(&point)?;
        let mut posterior = self.reading.posterior(&answer, x, point.at())?;
        if let Some(guidance) = self.guidance {
            posterior.mean = guidance.mean(&posterior, &point)?;
        }
        Ok(posterior)
    }

    /// The guided x0 [n, c, h, w] at step `i` of the schedule for x [n, c, h, w]. Clamped, where `reading` asks for it,
    /// before it is guided.
    ///
    /// # Errors
    /// As [`Guided::posterior`].
    pub fn x0(&self, x: &Tensor, i: usize) -> Result<Tensor> {
        let t = self.clock(x, i)?;
        let point = self.point(x, &t, i);
        let answer = self.answer(&point)?;
        let x0 = self.reading.x0(&answer, x, point.at())?;
        match self.guidance {
            Some(guidance) => guidance.x0(x0, &point),
            None => Ok(x0),
        }
    }

    /// # Errors
    /// Where the images x [n, c, h, w] that step `i` led to hold an infinity or a NaN.
    pub fn finite(&self, x: &Tensor, i: usize) -> Result<()> {
        let t = self.clock(x, i)?;
        self.point(x, &t, i).finite(x, "image")
    }

    fn answer(&self, point: &Point) -> Result<Tensor> {
        let answer = match self.guidance {
            Some(guidance) => guidance.answer(self.net, point)?,
            None => (self.net)(point.x, point.t)?,
        };
        // Detached: no step may keep the graph of the one before.
        let answer = answer.detach().to_dtype(DType::F32)?;
        point.finite(&answer, "net's answer")?;
        Ok(answer)
    }

    fn clock(&self, x: &Tensor, i: usize) -> Result<Tensor> {
        self.schedule().clock(At::All(i), x.dim(0)?, x.device())
    }

    fn point<'p>(&'p self, x: &'p Tensor, t: &'p Tensor, step: usize) -> Point<'p> {
        Point {
            schedule: self.reading.schedule,
            step,
            x,
            t,
            scale: self.guidance.map(Guidance::scale),
        }
    }
}
