//! The Inception Score: how sure a classifier is of each image, and how varied its answers are.

use crate::metrics::bootstrap::{interval, resample};
use crate::metrics::mersenne::permutation;
use anyhow::{Result, ensure};
use rayon::prelude::*;

/// Rows that one task handles; a constant, so that sums round the same for any thread count.
const ROWS: usize = 256;

/// How images are shared out before scores are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splits {
    /// Consecutive groups of this many images, a shorter last one counting as much: the ADM
    /// evaluator's rule, with 5,000.
    Of(usize),
    /// This many consecutive groups, as even as can be.
    Into(usize),
    /// As `Into`, after NumPy's legacy shuffle with a seed: torch-fidelity's rule, with 10 and 2020.
    ShuffledInto(usize, u32),
}

/// The mean over splits and their standard deviation (divided by the number of splits).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InceptionScore {
    pub mean: f64,
    pub std: f64,
}

/// Class probabilities `[n, k]` and each row's sum of p·ln p.
pub struct Probabilities {
    k: usize,
    rows: Vec<f64>,
    negentropy: Vec<f64>,
}

impl Probabilities {
    /// Softmax, in f64, of `logits` `[n, k]`.
    pub fn of_logits(logits: &[f32], k: usize) -> Result<Probabilities> {
        let wide: Vec<f64> = logits.iter().map(|&v| f64::from(v)).collect();
        Probabilities::of_logits_f64(&wide, k)
    }

    /// As [`Probabilities::of_logits`], for logits kept in f64.
    pub fn of_logits_f64(logits: &[f64], k: usize) -> Result<Probabilities> {
        check(logits, k)?;
        let mut rows = logits.to_vec();
        let negentropy = rows.par_chunks_mut(k).map(softmax).collect();
        Ok(Probabilities {
            k,
            rows,
            negentropy,
        })
    }

    /// Probabilities `[n, k]` as they are: each row is taken to sum to 1.
    pub fn given(probabilities: &[f64], k: usize) -> Result<Probabilities> {
        check(probabilities, k)?;
        ensure!(
            probabilities.iter().all(|&p| p >= 0.0),
            "a probability is below 0\nhint: these may be logits"
        );
        let rows = probabilities.to_vec();
        let negentropy = rows
            .par_chunks(k)
            .map(|row| row.iter().map(|&p| p_ln_p(p)).sum());
        Ok(Probabilities {
            k,
            negentropy: negentropy.collect(),
            rows,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.negentropy.len()
    }

    pub fn is_empty(&self) -> bool {
        self.negentropy.is_empty()
    }

    /// exp of the mean divergence of each row from the mean row, over rows taken `weight(i)` times.
    fn score(&self, rows: &[usize], weight: impl Fn(usize) -> f64 + Sync) -> f64 {
        let partial: Vec<(f64, f64, Vec<f64>)> = rows
            .par_chunks(ROWS)
            .map(|rows| {
                let mut sum = (0.0, 0.0, vec![0.0; self.k]);
                for &i in rows {
                    let w = weight(i);
                    if w == 0.0 {
                        continue;
                    }
                    sum.0 += w;
                    sum.1 += w * self.negentropy[i];
                    let row = &self.rows[i * self.k..(i + 1) * self.k];
                    for (s, p) in sum.2.iter_mut().zip(row) {
                        *s += w * p;
                    }
                }
                sum
            })
            .collect();
        let count: f64 = partial.iter().map(|p| p.0).sum();
        let negentropy: f64 = partial.iter().map(|p| p.1).sum();
        let marginal: f64 = (0..self.k)
            .map(|c| p_ln_p(partial.iter().map(|p| p.2[c]).sum::<f64>() / count))
            .sum();
        (negentropy / count - marginal).exp()
    }

    /// The score over all images at once, with its 95 % interval from resampled images.
    ///
    /// A resample has fewer distinct images, hence a less even mean row; the shift of
    /// [`interval`] takes that away.
    pub fn interval(&self, resamples: usize, seed: u64) -> Result<(f64, f64, f64)> {
        let all: Vec<usize> = (0..self.len()).collect();
        let value = self.score(&all, |_| 1.0);
        let one = |weights: &[u32], _: &mut ()| Ok(self.score(&all, |i| f64::from(weights[i])));
        let resampled = resample(self.len(), resamples, seed, || (), one)?;
        let (low, high) = interval(value, &resampled, 1.0)?;
        Ok((value, low, high))
    }
}

/// The Inception Score of `probabilities` under a rule of splits.
pub fn inception_score(probabilities: &Probabilities, splits: Splits) -> Result<InceptionScore> {
    let n = probabilities.len();
    let order = match splits {
        Splits::ShuffledInto(_, seed) => permutation(seed, n),
        _ => (0..n).collect(),
    };
    let groups: Vec<&[usize]> = match splits {
        Splits::Of(size) => {
            ensure!(
                size > 0,
                "a split of the Inception Score needs at least 1 image"
            );
            order.chunks(size).collect()
        }
        Splits::Into(count) | Splits::ShuffledInto(count, _) => {
            ensure!(
                (1..=n).contains(&count),
                "{n} images cannot be shared out into {count} splits"
            );
            (0..count)
                .map(|i| &order[i * n / count..(i + 1) * n / count])
                .collect()
        }
    };
    let scores: Vec<f64> = groups
        .iter()
        .map(|rows| probabilities.score(rows, |_| 1.0))
        .collect();
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let variance = scores.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / count;
    Ok(InceptionScore {
        mean,
        std: variance.sqrt(),
    })
}

/// Turns a row of logits into probabilities; answers the sum of p·ln p.
fn softmax(row: &mut [f64]) -> f64 {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|v| (v - top).exp()).sum();
    let log_sum = sum.ln();
    row.iter_mut()
        .map(|v| {
            let log = *v - top - log_sum;
            *v = log.exp();
            *v * log
        })
        .sum()
}

/// p·ln p, 0 where p is.
fn p_ln_p(p: f64) -> f64 {
    if p > 0.0 { p * p.ln() } else { 0.0 }
}

fn check(values: &[f64], k: usize) -> Result<()> {
    ensure!(
        k > 0 && !values.is_empty() && values.len().is_multiple_of(k),
        "{} values are no whole number of rows of {k} classes",
        values.len()
    );
    ensure!(
        values.iter().all(|v| v.is_finite()),
        "the class scores hold values that are not finite"
    );
    Ok(())
}
