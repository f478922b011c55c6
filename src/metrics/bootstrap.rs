//! 95 % intervals from resamples, and the closed form for shares.

use anyhow::{Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// Resamples that share one workspace; a constant, so that nothing depends on the thread count.
const BATCH: usize = 16;
/// The 97.5 % point of the standard normal distribution.
const Z: f64 = 1.959963984540054;

/// How often each of `n` images is drawn in resample `index` of `seed` (`n` draws in all).
///
/// A resample depends on these three numbers alone: resample 7 is the same whether 10 or 1,000
/// are made, on one thread or on many.
pub fn weights(seed: u64, index: u64, n: usize) -> Vec<u32> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..17].copy_from_slice(b"bootstrap");
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index);
    let mut weights = vec![0; n];
    for _ in 0..n {
        weights[below(&mut rng, n)] += 1;
    }
    weights
}

/// Uniform in 0..n.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// `statistic` of `resamples` weighted resamples of `n` images, in order. `workspace` makes what
/// a thread may reuse between calls; it must not change what `statistic` answers.
pub fn resample<W>(
    n: usize,
    resamples: usize,
    seed: u64,
    workspace: impl Fn() -> W + Sync,
    statistic: impl Fn(&[u32], &mut W) -> Result<f64> + Sync,
) -> Result<Vec<f64>> {
    let batches: Vec<Vec<f64>> = (0..resamples.div_ceil(BATCH))
        .into_par_iter()
        .map(|batch| {
            let mut reused = workspace();
            (batch * BATCH..resamples.min((batch + 1) * BATCH))
                .map(|index| statistic(&weights(seed, index as u64, n), &mut reused))
                .collect()
        })
        .collect::<Result<_>>()?;
    Ok(batches.concat())
}

/// The 95 % interval around `value` from the statistic's values on resamples.
///
/// It is the percentile interval shifted by `value` minus the resamples' mean, widened where
/// needed to hold `value`, and cut at `floor` (0 for a distance). The shift takes away the bias
/// that resampling adds: the Fréchet distance of n images exceeds its limit, and that of a
/// resample, with about 63 % distinct images, exceeds it more, so that plain percentiles can lie
/// wholly above the value. What the interval tells is where the value would fall for other
/// images of the same count; it does not remove the bias of the count itself.
///
/// Simulated on Gaussians (tests/metrics.rs), it holds the average distance of sets of its size
/// in about 97 of 100 sets of 100 images with 4 features or 400 with 16, and in all of 100 sets
/// of 150 images with 48: with few images a feature it is wider than it need be.
pub fn interval(value: f64, resampled: &[f64], floor: f64) -> Result<(f64, f64)> {
    ensure!(
        resampled.len() >= 40,
        "a 95 % interval needs at least 40 resamples, found {}",
        resampled.len()
    );
    ensure!(
        resampled.iter().all(|v| v.is_finite()),
        "a resample gave a value that is not finite"
    );
    let mut sorted = resampled.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mean = resampled.iter().sum::<f64>() / resampled.len() as f64;
    let shift = value - mean;
    let low = (quantile(&sorted, 0.025) + shift).max(floor);
    let high = quantile(&sorted, 0.975) + shift;
    Ok((low.min(value), high.max(value)))
}

/// The `q` quantile of sorted values, linear between its neighbours.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

/// Wilson's 95 % interval of a share of `count` images of which `hits` have a property.
///
/// It is where resampling the images leads for many images, and stays honest at shares of 0
/// and 1, where every resample is alike and a bootstrap would claim no error at all.
pub fn share_interval(hits: usize, count: usize) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (count as f64, hits as f64 / count as f64);
    let grow = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / grow;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / grow;
    (
        (centre - half).max(0.0).min(p),
        (centre + half).min(1.0).max(p),
    )
}
