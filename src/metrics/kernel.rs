//! The kernel distance (KID): an unbiased squared maximum mean discrepancy, kernel (x·y/d + 1)³.

use crate::metrics::bootstrap::below;
use crate::metrics::distances::{Points, fold};
use anyhow::{Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The mean over subsets and its standard deviation between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelDistance {
    pub mean: f64,
    pub std: f64,
}

/// The unbiased estimate between `x` `[n, d]` and `y` `[m, d]`, n and m >= 2: pairs of a row with
/// itself are left out, so it is near 0, on either side, for sets of one distribution.
pub fn mmd2(x: &[f32], y: &[f32], d: usize) -> Result<f64> {
    let (x, y) = (Points::of(x, d)?, Points::of(y, d)?);
    ensure!(
        x.len() >= 2 && y.len() >= 2,
        "the kernel distance needs at least 2 images a side, found {} and {}",
        x.len(),
        y.len()
    );
    let pairs = |n: usize, m: usize| n as f64 * m as f64;
    let within = |p: &Points| kernel_sum(p, p, true) / pairs(p.len(), p.len() - 1);
    let across = kernel_sum(&x, &y, false) / pairs(x.len(), y.len());
    Ok(within(&x) + within(&y) - 2.0 * across)
}

/// The kernel distance over `subsets` random subsets of `size` rows of each side, drawn without
/// replacement from streams keyed by (seed, subset): the published KID has 100 of 1,000.
pub fn kid(
    x: &[f32],
    y: &[f32],
    d: usize,
    subsets: usize,
    size: usize,
    seed: u64,
) -> Result<KernelDistance> {
    ensure!(
        d > 0 && subsets > 0 && size >= 2 && x.len() / d >= size && y.len() / d >= size,
        "{subsets} subsets of {size} images cannot be drawn from {} and {} images",
        x.len() / d.max(1),
        y.len() / d.max(1)
    );
    let estimates: Vec<f64> = (0..subsets)
        .map(|i| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&seed.to_le_bytes());
            key[8..14].copy_from_slice(b"kernel");
            let mut rng = ChaCha8Rng::from_seed(key);
            rng.set_stream(i as u64);
            let a = subset(x, d, size, &mut rng);
            let b = subset(y, d, size, &mut rng);
            mmd2(&a, &b, d)
        })
        .collect::<Result<_>>()?;
    let count = estimates.len() as f64;
    let mean = estimates.iter().sum::<f64>() / count;
    let variance = estimates
        .iter()
        .map(|e| (e - mean) * (e - mean))
        .sum::<f64>()
        / count;
    Ok(KernelDistance {
        mean,
        std: variance.sqrt(),
    })
}

fn subset(rows: &[f32], d: usize, size: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let n = rows.len() / d;
    let mut order: Vec<usize> = (0..n).collect();
    let mut out = Vec::with_capacity(size * d);
    for i in 0..size {
        order.swap(i, i + below(rng, n - i));
        out.extend_from_slice(&rows[order[i] * d..(order[i] + 1) * d]);
    }
    out
}

fn kernel_sum(x: &Points, y: &Points, skip_diagonal: bool) -> f64 {
    let d = x.dim() as f64;
    let sums = fold(
        x,
        y,
        false,
        |i| (i, 0.0),
        |(i, sum), j, inner| {
            if !(skip_diagonal && *i == j) {
                *sum += (inner / d + 1.0).powi(3);
            }
        },
    );
    sums.into_iter().map(|(_, sum)| sum).sum()
}
