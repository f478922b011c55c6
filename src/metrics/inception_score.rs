//! The Inception Score (Salimans et al. 2016, arXiv:1606.03498, section 4): how sure a classifier is of each image, and how
//! varied its answers are.

use crate::metrics::intervals::draws::subset;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::intervals::mersenne::Mersenne;
use crate::metrics::rows::{Rows, blocks};
use anyhow::{Result, ensure};
use rayon::prelude::*;

/// Rows that one task handles; a constant, so that sums round the same for any thread count.
const ROWS: usize = 256;
/// Rows of which pairs are left out as well, and partners of each.
const PAIRED: usize = 1000;
const PARTNERS: usize = 4;

/// How images are shared out before scores are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splits {
    /// Consecutive groups of this many images, a shorter last one counting as much: the ADM
    /// evaluator's rule, with 5,000.
    Of(usize),
    /// This many consecutive groups, as even as can be.
    Into(usize),
    /// As `Into`, after NumPy's legacy shuffle with a seed: torch-fidelity 0.4.0's rule, with 10
    /// and 2020.
    ShuffledInto(usize, u32),
    /// As `ShuffledInto`, but with groups of ⌊n/count⌋ images, so that a few at the end of the
    /// shuffled order may count nowhere: dgm-eval's rule.
    ShuffledTruncated(usize, u32),
}

impl Splits {
    /// The ADM evaluator's rule.
    pub const ADM: Splits = Splits::Of(5000);
    /// torch-fidelity's defaults.
    pub const TORCH_FIDELITY: Splits = Splits::ShuffledInto(10, 2020);
    /// dgm-eval's defaults.
    pub const DGM_EVAL: Splits = Splits::ShuffledTruncated(10, 2020);
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

    /// As [`Probabilities::of_logits`], of rows read in blocks.
    pub fn of_rows(logits: &mut dyn Rows) -> Result<Probabilities> {
        let k = logits.dim();
        ensure!(
            logits.count() > 0,
            "an Inception Score needs at least 1 image"
        );
        let mut rows = Vec::with_capacity(logits.count() * k);
        blocks(logits, |_, block| {
            rows.extend(block.iter().map(|&v| f64::from(v)));
            Ok(())
        })?;
        let negentropy = rows.par_chunks_mut(k).map(softmax).collect();
        Ok(Probabilities {
            k,
            rows,
            negentropy,
        })
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

    /// Sums over `rows`: of p·ln p, and of each class's probability.
    fn sums(&self, rows: &[usize]) -> (f64, Vec<f64>) {
        let partial: Vec<(f64, Vec<f64>)> = rows
            .par_chunks(ROWS)
            .map(|rows| {
                let mut sum = (0.0, vec![0.0; self.k]);
                for &i in rows {
                    sum.0 += self.negentropy[i];
                    for (s, p) in sum.1.iter_mut().zip(self.row(i)) {
                        *s += p;
                    }
                }
                sum
            })
            .collect();
        let class = |c: usize| partial.iter().map(|p| p.1[c]).sum();
        (
            partial.iter().map(|p| p.0).sum(),
            (0..self.k).map(class).collect(),
        )
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.k..(i + 1) * self.k]
    }

    /// The score over all images at once, n >= 4, and what leaving out each image, and pairs of
    /// some, does to it.
    pub fn left_out(&self) -> Result<Jackknife> {
        let n = self.len();
        ensure!(
            n >= 4,
            "an interval of the Inception Score needs at least 4 images, found {n}"
        );
        let all: Vec<usize> = (0..n).collect();
        let (negentropy, classes) = self.sums(&all);
        let value = score(negentropy, &classes, n);
        let without = |left: &[usize]| {
            let less: f64 = left.iter().map(|&i| self.negentropy[i]).sum();
            let count = (n - left.len()) as f64;
            let marginal = (0..self.k).map(|c| {
                let gone: f64 = left.iter().map(|&i| self.row(i)[c]).sum();
                p_ln_p((classes[c] - gone).max(0.0) / count)
            });
            ((negentropy - less) / count - marginal.sum::<f64>()).exp() - value
        };
        let gaps: Vec<f64> = all.par_iter().map(|&i| without(&[i])).collect();
        let paired = subset(0, 0, n, PAIRED.min(n));
        let count = paired.len();
        let pairs: Vec<(usize, usize)> = (1..=PARTNERS.min(count - 1))
            .flat_map(|p| (0..count).map(move |i| (i, (i + p) % count)))
            .map(|(i, j)| (paired[i], paired[j]))
            .collect();
        let interaction = |&(i, j): &(usize, usize)| {
            (n as f64 - 2.0) * without(&[i, j]) - (n as f64 - 1.0) * (gaps[i] + gaps[j])
        };
        let interactions: Vec<f64> = pairs.par_iter().map(interaction).collect();
        Ok(Jackknife::with_pairs(value, gaps, &interactions))
    }
}

/// exp of the mean divergence of n rows from their mean row.
fn score(negentropy: f64, classes: &[f64], n: usize) -> f64 {
    let marginal: f64 = classes.iter().map(|s| p_ln_p(s / n as f64)).sum();
    (negentropy / n as f64 - marginal).exp()
}

/// The Inception Score of `probabilities` under a rule of splits: exp of the mean of KL(p(y|x) ‖ p(y)) in each split.
pub fn inception_score(probabilities: &Probabilities, splits: Splits) -> Result<InceptionScore> {
    let n = probabilities.len();
    let order = match splits {
        Splits::ShuffledInto(_, seed) | Splits::ShuffledTruncated(_, seed) => {
            Mersenne::new(seed).permutation(n)
        }
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
        Splits::Into(count)
        | Splits::ShuffledInto(count, _)
        | Splits::ShuffledTruncated(count, _) => {
            ensure!(
                (1..=n).contains(&count),
                "{n} images cannot be shared out into {count} splits"
            );
            let even = |i: usize| match splits {
                Splits::ShuffledTruncated(..) => i * (n / count),
                _ => i * n / count,
            };
            (0..count).map(|i| &order[even(i)..even(i + 1)]).collect()
        }
    };
    let scores: Vec<f64> = groups
        .iter()
        .map(|rows| {
            let (negentropy, classes) = probabilities.sums(rows);
            score(negentropy, &classes, rows.len())
        })
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
