//! `uni_pc` and `uni_pc_bh2`: a predictor and a corrector that asks the net nothing more ("UniPC", arXiv:2302.04867,
//! algorithms 5 and 6 with data prediction; B(h) = h and exp(h) - 1).

use crate::diffusion::process::level::{Level, Place};
use crate::diffusion::samplers::guided::Guided;
use crate::diffusion::samplers::sampler::{Path, Sampler};
use candle_core::{Result, Tensor, bail};
use std::collections::VecDeque;
use std::sync::Arc;

/// The function B(h) of the paper's section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum B {
    H,
    ExpM1,
}

/// One batch's draw.
pub struct UniPc {
    path: Path,
    order: usize,
    b: B,
    /// The last predictions of x0 and the lambda where each was made, the newest first.
    known: VecDeque<(f64, Tensor)>,
    /// The step that led here, to be corrected by what the net says here.
    step: Option<Step>,
}

/// What a step is made of, before and after it is known how it ends.
struct Step {
    /// x by the first order: what every order starts from.
    base: Tensor,
    /// x0 where the step began.
    x0: Tensor,
    /// Differences of earlier x0 from it, each over its distance in lambda, in steps.
    slopes: Vec<Tensor>,
    /// alpha B(h) where the step ends.
    weight: f64,
    /// Weights of the differences, and of the one to the end.
    corrector: Vec<f64>,
}

impl UniPc {
    /// `levels` [S + 1] from the noise to the image's last level; `order` 1 to 3.
    pub fn new(levels: Arc<[Level]>, order: usize, b: B) -> Self {
        Self {
            path: Path(levels),
            order,
            b,
            known: VecDeque::new(),
            step: None,
        }
    }

    /// The step between two levels from x, and where its predictor leads.
    fn predict(&self, x: &Tensor, from: Level, to: Level, order: usize) -> Result<(Step, Tensor)> {
        let h = to.lambda() - from.lambda();
        let Some((here, x0)) = self.known.front() else {
            bail!("a step needs a prediction")
        };
        let earlier = || self.known.iter().skip(1).take(order - 1);
        let mut rows: Vec<f64> = earlier().map(|(lambda, _)| (lambda - here) / h).collect();
        let slopes = earlier()
            .zip(&rows)
            .map(|((_, x), r)| (x - x0)? * (1.0 / r));
        let slopes = slopes.collect::<Result<Vec<Tensor>>>()?;
        rows.push(1.0);
        let signed = -h;
        let b = match self.b {
            B::H => signed,
            B::ExpM1 => signed.exp_m1(),
        };
        let (matrix, right) = system(&rows, signed, b);
        let order = rows.len();
        let predictor = match order {
            1 => Vec::new(),
            // The paper's degenerate case.
            2 => vec![0.5],
            _ => solve(&matrix, &right, order - 1)?,
        };
        let corrector = match order {
            1 => vec![0.5],
            _ => solve(&matrix, &right, order)?,
        };
        let kept = (x * (to.sigma() / from.sigma()))?;
        let base = (kept - (x0 * (to.alpha() * signed.exp_m1()))?)?;
        let weight = to.alpha() * b;
        let mut next = base.clone();
        for (slope, share) in slopes.iter().zip(&predictor) {
            next = (next - (slope * (weight * share))?)?;
        }
        let x0 = x0.clone();
        let step = Step {
            base,
            x0,
            slopes,
            weight,
            corrector,
        };
        Ok((step, next))
    }
}

impl Step {
    /// Where the step should have led, now that x0 at its end is known.
    fn corrected(&self, x0: &Tensor) -> Result<Tensor> {
        let last = (x0 - &self.x0)?;
        let slopes = self.slopes.iter().chain([&last]);
        let mut x = self.base.clone();
        for (slope, share) in slopes.zip(&self.corrector) {
            x = (x - (slope * (self.weight * share))?)?;
        }
        Ok(x)
    }
}

impl Sampler for UniPc {
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
        _: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let x0 = net.denoised(x, &self.place(net, i))?;
        let x = match self.step.take() {
            Some(step) => step.corrected(&x0)?,
            None => x.clone(),
        };
        let (from, to) = self.path.ends(i);
        self.known.push_front((from.lambda(), x0));
        self.known.truncate(self.order);
        // The program's `lower_order_final`, whatever the number of steps.
        let order = self.order.min(i + 1).min(self.known.len());
        let (step, next) = self.predict(&x, from, to, order)?;
        self.step = Some(step);
        Ok(next)
    }
}

/// R and b of the paper's equation 5 for `rows` r_k and -h: R[i][k] = r_k^i, b[i] = phi_{i+1}(-h) (i + 1)! / B.
fn system(rows: &[f64], h: f64, b: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut phi = h.exp_m1() / h - 1.0;
    let mut factorial = 1.0;
    let (mut matrix, mut right) = (Vec::new(), Vec::new());
    for i in 0..rows.len() {
        matrix.push(rows.iter().map(|r| r.powi(i as i32)).collect());
        right.push(phi * factorial / b);
        factorial *= (i + 2) as f64;
        phi = phi / h - 1.0 / factorial;
    }
    (matrix, right)
}

/// The solution of the first `n` rows and columns, by elimination: n is at most 3, and the r_k differ.
fn solve(matrix: &[Vec<f64>], right: &[f64], n: usize) -> Result<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|i| [&matrix[i][..n], &right[i..=i]].concat())
        .collect();
    for column in 0..n {
        let largest =
            (column..n).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()));
        rows.swap(column, largest.unwrap_or(column));
        let pivot = rows[column].clone();
        if pivot[column] == 0.0 {
            bail!("two steps of the sampler stand on one noise level");
        }
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let factor = row[column] / pivot[column];
                row.iter_mut()
                    .zip(&pivot)
                    .for_each(|(to, from)| *to -= factor * from);
            }
        }
    }
    Ok((0..n).map(|i| rows[i][n] / rows[i][i]).collect())
}
