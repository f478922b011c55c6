//! `dpmpp_2m`, `dpmpp_3m` and `dpmpp_2m_sde`: DPM-Solver++, which predicts x0 and remembers its last predictions
//! (arXiv:2211.01095, algorithm 2 and section 5; order 3 and the lower orders at the ends are those of its authors' program).

use crate::diffusion::process::level::{Level, Place};
use crate::diffusion::samplers::guided::Guided;
use crate::diffusion::samplers::sampler::{Path, Sampler};
use candle_core::{Result, Tensor};
use std::collections::VecDeque;
use std::sync::Arc;

/// Below so many steps the last ones are of a lower order, as the program's `lower_order_final`.
const FEW: usize = 10;

/// Whether steps add noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The probability flow's differential equation.
    Ode,
    /// The stochastic one's, of order 2 (arXiv:2211.01095, equation 14, with the midpoint's correction).
    Sde,
}

/// One batch's draw.
pub struct DpmSolver {
    path: Path,
    order: usize,
    form: Form,
    /// The last predictions of x0 and the lambda where each was made, the newest first.
    known: VecDeque<(f64, Tensor)>,
}

impl DpmSolver {
    /// `levels` [S + 1] from the noise to the image's last level; `order` 1 to 3, and at most 2 with noise.
    pub fn new(levels: Arc<[Level]>, order: usize, form: Form) -> Self {
        Self {
            path: Path(levels),
            order,
            form,
            known: VecDeque::new(),
        }
    }

    /// The step's own x0 less what the earlier ones say of its course: what x moves toward, already weighted.
    fn toward(&self, from: Level, to: Level, order: usize) -> Result<Tensor> {
        let h = to.lambda() - from.lambda();
        let phi1 = (-h).exp_m1();
        let [now, before, earlier] = [0, 1, 2].map(|k| self.known.get(k));
        let (Some((here, x0)), order) = (now, order.min(self.known.len())) else {
            candle_core::bail!("a step needs a prediction")
        };
        let ratio = |one: f64, other: f64| (one - other) / h;
        match (order, before, earlier) {
            (2, Some((before, x1)), _) => {
                let slope = ((x0 - x1)? * (0.5 / ratio(*here, *before)))?;
                (x0 + slope)? * -phi1
            }
            (3, Some((before, x1)), Some((earlier, x2))) => {
                let (r0, r1) = (ratio(*here, *before), ratio(*before, *earlier));
                let (near, far) = (((x0 - x1)? * (1.0 / r0))?, ((x1 - x2)? * (1.0 / r1))?);
                let bend = (&near - &far)?;
                let first = (near + (&bend * (r0 / (r0 + r1)))?)?;
                let second = (bend * (1.0 / (r0 + r1)))?;
                let phi2 = phi1 / h + 1.0;
                let phi3 = phi2 / h - 0.5;
                (x0 * -phi1)? + ((first * phi2)? - (second * phi3)?)?
            }
            _ => x0 * -phi1,
        }
    }

    /// The step with noise: as far again in lambda, and noise for what is lost.
    fn noisy(&self, x: &Tensor, from: Level, to: Level, noise: &Tensor) -> Result<Tensor> {
        let h = to.lambda() - from.lambda();
        let Some((here, x0)) = self.known.front() else {
            candle_core::bail!("a step needs a prediction")
        };
        let aim = match self.known.get(1) {
            Some((before, x1)) => {
                let slope = (x0 - x1)? * (0.5 * h / (here - before));
                (x0 + slope?)?
            }
            None => x0.clone(),
        };
        let fresh = -(-2.0 * h).exp_m1();
        let kept = (x * (to.sigma() / from.sigma() * (-h).exp()))?;
        let toward = (kept + (aim * (to.alpha() * fresh))?)?;
        toward + (noise * (to.sigma() * fresh.sqrt()))?
    }
}

impl Sampler for DpmSolver {
    fn place(&self, _: &Guided, i: usize) -> Place {
        self.path.place(i)
    }

    fn steps(&self, _: &Guided) -> usize {
        self.path.steps()
    }

    fn step(
        &mut self,
        net: &Guided,
        x: &Tensor,
        i: usize,
        noise: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (from, to) = self.path.ends(i);
        let x0 = net.denoised(x, &self.place(net, i))?;
        self.known.push_front((from.lambda(), x0));
        self.known.truncate(3);
        if self.form == Form::Sde {
            return self.noisy(x, from, to, &noise()?);
        }
        let order = if self.path.steps() < FEW {
            self.order.min(i + 1)
        } else {
            self.order
        };
        let toward = self.toward(from, to, order)?;
        (x * (to.sigma() / from.sigma()))? + (toward * to.alpha())?
    }
}
