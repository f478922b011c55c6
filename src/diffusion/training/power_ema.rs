//! Power-function averages over a training, and how one of any width is put together from others (arXiv:2312.02696, section 3
//! and appendix C).
//!
//! The average at step t weighs step tau by p(tau) = (gamma + 1) tau^gamma / t^(gamma + 1), 0 <= tau <= t.

use anyhow::{Result, ensure};

/// Below this part of a snapshot's profile that the others do not have, it tells nothing that they do not.
const OWN_PART: f64 = 1e-12;

/// The exponent gamma >= 0 of the profile whose standard deviation is `sigma_rel`, a share of t above 0 and up to 12^(-1/2):
/// sigma_rel^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3)) (appendix C).
pub fn gamma(sigma_rel: f64) -> f64 {
    let variance = |gamma: f64| (gamma + 1.0) / ((gamma + 2.0).powi(2) * (gamma + 3.0));
    // The variance falls as gamma rises from 0, and is below 1 / gamma^2.
    let (mut low, mut high) = (0.0, sigma_rel.recip());
    while high - low > f64::EPSILON * high {
        let middle = 0.5 * (low + high);
        if middle == low || middle == high {
            break;
        }
        if variance(middle) > sigma_rel * sigma_rel {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// What step t, counted from 1, moves the average towards the weights: 1 - beta_gamma(t), with
/// beta_gamma(t) = (1 - 1/t)^(gamma + 1) (section 3.1).
pub fn share(gamma: f64, step: u64) -> f64 {
    match step {
        // The first weights are their own average.
        0 | 1 => 1.0,
        _ => -((gamma + 1.0) * (-1.0 / step as f64).ln_1p()).exp_m1(),
    }
}

/// An average: its exponent and the step that it ends at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    pub gamma: f64,
    pub end: f64,
}

impl Profile {
    pub fn new(sigma_rel: f64, end: u64) -> Profile {
        Profile {
            gamma: gamma(sigma_rel),
            end: end as f64,
        }
    }

    /// The integral of the product of two profiles over all steps (appendix C).
    pub fn product(self, other: Profile) -> f64 {
        let (early, late) = if self.end < other.end {
            (self, other)
        } else {
            (other, self)
        };
        let factors = (early.gamma + 1.0) * (late.gamma + 1.0);
        let ratio = (early.end / late.end).powf(late.gamma);
        factors * ratio / ((early.gamma + late.gamma + 1.0) * late.end)
    }
}

/// A profile as a sum of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The factor of each, in their order; they sum to 1.
    pub factors: Vec<f64>,
    /// The norm of what the sum is off by, over that of the profile asked for.
    pub error: f64,
}

/// The sum of `snapshots` that is nearest to `wanted` in the mean square over the steps (appendix C), its factors
/// divided by their sum, so that weights that never moved stay as they are.
///
/// # Errors
/// No snapshots, or none that has a part in `wanted`.
pub fn fit(snapshots: &[Profile], wanted: Profile) -> Result<Fit> {
    let norm = |profile: Profile| profile.product(profile).sqrt();
    let norms: Vec<f64> = snapshots.iter().map(|one| norm(*one)).collect();
    let size = norm(wanted);
    // Profiles of norm 1: snapshots far apart in time have very different ones.
    let cosine = |i: usize, j: usize| snapshots[i].product(snapshots[j]) / (norms[i] * norms[j]);
    let towards: Vec<f64> = (0..snapshots.len())
        .map(|i| snapshots[i].product(wanted) / (norms[i] * size))
        .collect();
    let unit = nearest(&cosine, &towards);
    let mut factors: Vec<f64> = unit.iter().zip(&norms).map(|(x, n)| x * size / n).collect();
    let sum: f64 = factors.iter().sum();
    ensure!(
        sum.is_finite() && sum > 0.5,
        "no sum of {} snapshots comes near the average that is asked for",
        snapshots.len()
    );
    factors.iter_mut().for_each(|factor| *factor /= sum);
    let unit: Vec<f64> = unit.iter().map(|x| x / sum).collect();
    let off = (0..unit.len()).map(|i| {
        let row: f64 = (0..unit.len()).map(|j| cosine(i, j) * unit[j]).sum();
        unit[i] * (row - 2.0 * towards[i])
    });
    let error = (1.0 + off.sum::<f64>()).max(0.0).sqrt();
    Ok(Fit { factors, error })
}

/// x of A x = `towards`, where A is symmetric, positive and has ones on its diagonal: Cholesky from the last row to the
/// first. A row that the later ones have already takes no part.
fn nearest(a: &dyn Fn(usize, usize) -> f64, towards: &[f64]) -> Vec<f64> {
    let n = towards.len();
    let (mut chosen, mut lower): (Vec<usize>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    for i in (0..n).rev() {
        let mut row: Vec<f64> = Vec::with_capacity(chosen.len() + 1);
        for (k, j) in chosen.iter().enumerate() {
            let known: f64 = row.iter().zip(&lower[k]).map(|(a, b)| a * b).sum();
            row.push((a(i, *j) - known) / lower[k][k]);
        }
        let own = a(i, i) - row.iter().map(|x| x * x).sum::<f64>();
        if own > OWN_PART {
            row.push(own.sqrt());
            lower.push(row);
            chosen.push(i);
        }
    }
    let mut y: Vec<f64> = Vec::with_capacity(chosen.len());
    for (row, i) in lower.iter().zip(&chosen) {
        let known: f64 = row.iter().zip(&y).map(|(a, b)| a * b).sum();
        y.push((towards[*i] - known) / row[y.len()]);
    }
    let mut x = vec![0.0; n];
    for k in (0..chosen.len()).rev() {
        let known: f64 = (k + 1..chosen.len())
            .map(|m| lower[m][k] * x[chosen[m]])
            .sum();
        x[chosen[k]] = (y[k] - known) / lower[k][k];
    }
    x
}
