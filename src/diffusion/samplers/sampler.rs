//! What a sampler is, and the loop over its steps that drives one.

use crate::diffusion::process::level::{Level, Place};
use crate::diffusion::random::noise::START;
use crate::diffusion::samplers::guided::Guided;
use candle_core::{Result, Tensor};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A way from x_T to images. One is made for every batch: what it remembers of earlier steps is that batch's. A step may
/// ask the net as often as it needs to, and takes guidance in its own form. The steps stand on those of the schedule, unless
/// a sampler brings levels of its own.
pub trait Sampler {
    /// S, the steps of a draw.
    fn steps(&self, net: &Guided) -> usize {
        net.schedule().len()
    }

    /// Where step `i` stands, for `i` of S - 1 down to 0.
    fn place(&self, net: &Guided, i: usize) -> Place {
        net.place(i)
    }

    /// x_i [n, c, h, w] → x_{i-1}, for `i` of S - 1 down to 0. `noise` is this step's [n, c, h, w] of N(0, 1), the same
    /// however often it is called.
    ///
    /// # Errors
    /// Those of the net, of its guidance and of `noise`.
    fn step(
        &mut self,
        net: &Guided,
        x: &Tensor,
        i: usize,
        noise: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor>;
}

/// Step `i`, counted down to 0, on levels that are listed from the noise.
pub(super) fn on(levels: &[Level], i: usize) -> Place {
    let k = levels.len() - 1 - i;
    Place {
        level: levels[k],
        begun: levels[k],
        step: k + 1,
        steps: levels.len(),
    }
}

/// The levels of a multistep sampler, [S + 1]: step `i` of S goes from one to the next.
pub(super) struct Path(pub Arc<[Level]>);

impl Path {
    pub fn steps(&self) -> usize {
        self.0.len() - 1
    }

    pub fn place(&self, i: usize) -> Place {
        on(&self.0[..self.steps()], i)
    }

    /// Where step `i`, counted down to 0, begins and ends.
    pub fn ends(&self, i: usize) -> (Level, Level) {
        let k = self.steps() - 1 - i;
        (self.0[k], self.0[k + 1])
    }
}

/// Images [n, c, h, w] of about [-1, 1], or None when `tick` broke off. `noise` (step id) → [n, c, h, w], with `START` for
/// x_T and `1 + k` for the k-th step; `tick` (k) is called after each step.
///
/// # Errors
/// Those of the sampler and of `noise`, and images that are not finite.
pub fn draw_with(
    sampler: &mut dyn Sampler,
    net: &Guided,
    noise: &dyn Fn(u64) -> Result<Tensor>,
    tick: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Tensor>> {
    let mut x = noise(START)?;
    for (done, i) in (0..sampler.steps(net)).rev().enumerate() {
        let noise = || noise(START + 1 + done as u64);
        x = sampler.step(net, &x, i, &noise)?;
        net.finite(&x, &sampler.place(net, i))?;
        if tick(done).is_break() {
            return Ok(None);
        }
    }
    net.checks.settle()?;
    Ok(Some(x))
}
