//! What a net's answer says of x_{t-1}: mean, variance and x0 (DDPM, arXiv:2006.11239, section 3.2; the
//! release's `p_mean_variance`).

use crate::diffusion::process::at::At;
use crate::diffusion::process::clamp::Clamp;
use crate::diffusion::process::level::Level;
use crate::diffusion::process::schedule::Schedule;
use crate::experiment::file::experiment::VarianceRule;
use crate::experiment::nets::arch::{Answer, Prediction, Process};
use candle_core::{Result, Tensor, bail};

/// (x [n, c, h, w], t `[n]` f32) → [n, ...]: a net as a function of a noisy image and its time, or such a net's gradient.
pub type Field<'a> = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a;

/// What the first c channels of the answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mean {
    /// The noise.
    Epsilon,
    /// x0
    StartX,
    /// v = alpha eps - sigma x0 ("Progressive Distillation for Fast Sampling of Diffusion Models", arXiv:2202.00512,
    /// section 4).
    Velocity,
    /// The mean of p(x_{t-1} | x_t).
    PreviousX,
}

/// Where the variance comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variance {
    /// The last c channels are its logarithm.
    Learned,
    /// The last c channels, in [-1, 1] and not clamped, lie between the logarithms of the posterior's variance and beta
    /// (IDDPM, arXiv:2102.09672, equation 15).
    LearnedRange,
    /// beta, but the posterior's variance of step 1 at step 0.
    FixedLarge,
    /// The posterior's variance, whose logarithm at step 0 is that of step 1.
    FixedSmall,
}

/// How a net's answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    pub mean: Mean,
    pub variance: Variance,
}

impl Output {
    /// As the ADM release reads its nets.
    pub fn of(process: &Process, answer: Answer) -> Self {
        let mean = match process.predict {
            Prediction::Noise => Mean::Epsilon,
            Prediction::X0 => Mean::StartX,
            Prediction::Velocity => Mean::Velocity,
        };
        let variance = match answer {
            Answer::MeanAndVariance => Variance::LearnedRange,
            Answer::Mean => Variance::FixedLarge,
        };
        Self { mean, variance }
    }

    /// The same with another variance where one is asked for.
    ///
    /// # Errors
    /// Where a learned variance is asked of a net without one.
    pub fn with(self, asked: Option<VarianceRule>) -> Result<Self> {
        let variance = match asked {
            None => self.variance,
            Some(VarianceRule::Learned) if self.learned() => self.variance,
            Some(VarianceRule::Learned) => bail!(
                "sample.variance = \"learned\", and the net has no variance half\n\
                 hint: use \"fixed_large\" or \"fixed_small\", or leave it out"
            ),
            Some(VarianceRule::FixedLarge) => Variance::FixedLarge,
            Some(VarianceRule::FixedSmall) => Variance::FixedSmall,
        };
        Ok(Self { variance, ..self })
    }

    /// Whether the net answers with a variance half.
    pub fn learned(self) -> bool {
        matches!(self.variance, Variance::Learned | Variance::LearnedRange)
    }

    /// answer [n, c or 2c, h, w] for x [n, c, h, w] → the mean part and, where it is learned, the variance part.
    pub fn split(self, answer: &Tensor, x: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        let (n, c, h, w) = x.dims4()?;
        let channels = if self.learned() { 2 * c } else { c };
        if answer.dims() != [n, channels, h, w] {
            bail!(
                "the net answered {:?}, and {:?} is read with variance {:?}\n\
                 hint: learn_sigma says whether the net has twice the channels",
                answer.dims(),
                [n, channels, h, w],
                self.variance
            );
        }
        if !self.learned() {
            return Ok((answer.clone(), None));
        }
        Ok((answer.narrow(1, 0, c)?, Some(answer.narrow(1, c, c)?)))
    }
}

impl Output {
    /// x0 [n, c, h, w] at a level that need not be one of the schedule's; not clamped. `answer` may have a variance half.
    ///
    /// # Errors
    /// Where the answer is the mean of a step of the schedule.
    pub fn x0_at(self, level: Level, answer: &Tensor, x: &Tensor) -> Result<Tensor> {
        let mean = mean_half(answer, x)?;
        match self.mean {
            Mean::Epsilon => level.x0_of_eps(x, &mean),
            Mean::StartX => Ok(mean),
            Mean::Velocity => x.affine(level.alpha(), 0.0)? - mean.affine(level.sigma(), 0.0)?,
            Mean::PreviousX => between_steps(),
        }
    }

    /// The mean part [n, c, h, w] of the answer that stands for `x0`: the inverse of [`Output::x0_at`].
    ///
    /// # Errors
    /// As [`Output::x0_at`].
    pub fn of_x0(self, level: Level, x0: &Tensor, x: &Tensor) -> Result<Tensor> {
        match self.mean {
            Mean::Epsilon => level.eps_of_x0(x, x0),
            Mean::StartX => Ok(x0.clone()),
            Mean::Velocity => {
                (x.affine(level.alpha(), 0.0)? - x0)?.affine(1.0 / level.sigma(), 0.0)
            }
            Mean::PreviousX => between_steps(),
        }
    }
}

fn between_steps() -> Result<Tensor> {
    bail!(
        "a net that answers with the mean of the next step has no x0 between the steps of its schedule\n\
         hint: sampler = \"ddpm\" or \"ddim\""
    )
}

/// The mean half of a net's answer [n, 2c, h, w], for x [n, c, h, w]: all that a fixed variance leaves to read.
pub fn mean_half(answer: &Tensor, x: &Tensor) -> Result<Tensor> {
    answer.narrow(1, 0, x.dim(1)?)
}

/// p(x_{t-1} | x_t) and the x0 that its mean is made of; all [n, c, h, w] (DDPM, equations 1 and 7).
#[derive(Clone, Debug)]
pub struct Posterior {
    pub mean: Tensor,
    pub log_variance: Tensor,
    /// Where it is not simply the exponential.
    variance: Option<Tensor>,
    pub x0: Tensor,
}

impl Posterior {
    /// [n, c, h, w]
    pub fn variance(&self) -> Result<Tensor> {
        match &self.variance {
            Some(variance) => Ok(variance.clone()),
            None => self.log_variance.exp(),
        }
    }
}

/// A schedule and the way a net's answers on it are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub schedule: &'a Schedule,
    pub output: Output,
    /// What is done with an x0 outside of [-1, 1].
    pub clamp: Clamp,
}

impl Reading<'_> {
    /// answer [n, c or 2c, h, w] at x [n, c, h, w] → mean, variance, x0.
    pub fn posterior(&self, answer: &Tensor, x: &Tensor, at: At) -> Result<Posterior> {
        let (mean, variance) = self.output.split(answer, x)?;
        self.posterior_of(&mean, variance.as_ref(), x, at)
    }

    /// The same from the two parts of an answer, which may carry separate gradients.
    pub fn posterior_of(
        &self,
        mean: &Tensor,
        variance: Option<&Tensor>,
        x: &Tensor,
        at: At,
    ) -> Result<Posterior> {
        let x0 = self.x0_of(mean, x, at)?;
        Ok(Posterior {
            mean: match self.output.mean {
                Mean::PreviousX => mean.clone(),
                Mean::Epsilon | Mean::StartX | Mean::Velocity => {
                    self.schedule.posterior_mean(&x0, x, at)?
                }
            },
            log_variance: self.log_variance(variance, x, at)?,
            variance: match self.output.variance {
                // Exactly 0 at step 0, where the logarithm was clipped.
                Variance::FixedSmall => {
                    Some(at.spread(x, |i| self.schedule.posterior_variance[i])?)
                }
                _ => None,
            },
            x0,
        })
    }

    /// x0 alone, which is all that DDIM asks for.
    pub fn x0(&self, answer: &Tensor, x: &Tensor, at: At) -> Result<Tensor> {
        let (mean, _) = self.output.split(answer, x)?;
        self.x0_of(&mean, x, at)
    }

    fn x0_of(&self, mean: &Tensor, x: &Tensor, at: At) -> Result<Tensor> {
        let s = self.schedule;
        let x0 = match self.output.mean {
            Mean::Epsilon => s.x0_of_eps(x, mean, at)?,
            Mean::StartX => mean.clone(),
            Mean::Velocity => s.x0_of_v(x, mean, at)?,
            Mean::PreviousX => {
                let from_mean = at.scale(mean, |i| 1.0 / s.posterior_x0[i])?;
                (from_mean - at.scale(x, |i| s.posterior_xt[i] / s.posterior_x0[i])?)?
            }
        };
        self.clamp.of(x0)
    }

    fn log_variance(&self, learned: Option<&Tensor>, x: &Tensor, at: At) -> Result<Tensor> {
        let s = self.schedule;
        // Both ends of the learned range are logarithms.
        let (low, high) = (
            |i: usize| s.posterior_log_variance[i],
            |i: usize| s.betas[i].ln(),
        );
        match (self.output.variance, learned) {
            (Variance::LearnedRange, Some(v)) => at.affine(
                v,
                |i| 0.5 * (high(i) - low(i)),
                |i| 0.5 * (high(i) + low(i)),
            ),
            (Variance::Learned, Some(v)) => Ok(v.clone()),
            (Variance::FixedLarge, _) => at.spread(x, |i| match i {
                // What step 1 has too.
                0 => low(0),
                _ => high(i),
            }),
            (Variance::FixedSmall, _) => at.spread(x, low),
            (kind, None) => bail!("variance {kind:?} is read from a net without a variance part"),
        }
    }
}
