//! How sure the unbiased kernel distance is: its law between sets of images, first and second order.
//!
//! With the other set given, the estimate is U = const + 2/n·Σ h(x_i) + 1/(n(n - 1))·Σ_{i≠j} H(x_i, x_j)
//! (Hoeffding's decomposition), h the gap between the two sets' mean kernels at x and H the kernel
//! without what depends on one row alone. For two sets of one distribution h vanishes but for the
//! other set's chance, and H decides both the variance and the law, a weighted sum of χ² (Gretton
//! et al. 2012, "A Kernel Two-Sample Test", theorem 12): right-skewed, and no normal one.

use crate::metrics::intervals::draws::subset;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::intervals::normal::Z;
use crate::metrics::kernel::mmd::{Side, Sums, cube};
use crate::random::stream::{below, named};
use anyhow::{Result, ensure};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

/// Rows that stand for all of them where pairs are looked at one by one.
const PAIRED: usize = 1000;
/// Sets of images drawn again, and how many at once.
const RESAMPLES: usize = 2000;
const AT_ONCE: usize = 250;
/// Of the root of 1 - a·z below: no level is infinitely far out.
const LEAST: f64 = 0.05;

/// [`crate::metrics::kernel::mmd::mmd2`] with its 95 % interval, which takes `y` as given.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelInterval {
    /// What leaving out each row of `x` does.
    pub left_out: Jackknife,
    pub low: f64,
    pub high: f64,
}

/// [`crate::metrics::kernel::mmd::mmd2`] of n >= 4 rows `x` `[n, d]` and `y` `[m, d]`, what leaving out
/// each row of `x` does to it, and the 95 % interval of its average over other sets of n rows.
///
/// Rows are drawn again with replacement, and both parts of U are weighted by how often (Arcones
/// and Giné 1992, "On the bootstrap of U and V statistics", for the second). h is known up to the
/// chance of its own n rows, which would count H twice; it is shrunk to its unbiased variance,
/// Var ĥ - E H²/(n - 1), so that the law has the unbiased variance of Bounliphone et al. 2016 and
/// Sutherland et al. 2017, 4/n·Var h + 2/(n(n - 1))·E H². The interval lies between the law's
/// points at the levels Φ(z/(1 - a·z)), z = ±[`Z`], a = a sixth of its skewness: an estimate that
/// comes out low comes with a low variance, which the acceleration a makes good (Efron 1987,
/// "Better Bootstrap Confidence Intervals"; its other constant, for a median that is off, is left
/// out, as the average is wanted). Above `PAIRED` rows, H is that of so many drawn ones, its
/// variance scaled to n; the cost beyond the sums of kernels is then the same for any n.
pub fn mmd2_interval(x: &[f32], y: &[f32], d: usize) -> Result<KernelInterval> {
    let sums = Sums::of(x, y, d)?;
    let n = sums.own.len();
    ensure!(
        n >= 4,
        "an interval of a kernel distance needs at least 4 images, found {n}"
    );
    let rows = subset(0, 0, n, PAIRED.min(n));
    let pairs = Pairs::of(x, d, &rows);
    let moved = law(&sums, &pairs, &rows);
    let value = sums.value();
    let [low, high] = between(&moved).map(|v| value + v);
    // A squared distance to y's mean embedding, less what each row's own kernel adds to that.
    let own: f64 = y
        .chunks_exact(d)
        .map(|row| cube(row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / d as f64 + 1.0))
        .sum();
    let m = sums.m;
    let floor = (sums.totals.2 / (m * (m - 1.0)) - own / m) / m;
    let gaps = (0..n).map(|i| without(&sums, i)).collect();
    Ok(KernelInterval {
        left_out: Jackknife::with_interaction(value, gaps, pairs.variance(n)),
        low: low.max(floor).min(value),
        high: high.max(value),
    })
}

/// H of some rows, and its mean square.
struct Pairs {
    h: Mat<f64>,
    square: f64,
}

impl Pairs {
    /// Centred without bias by the other rows' kernels (Székely and Rizzo 2014, "Partial distance
    /// correlation with methods for dissimilarities", U-centring): `rows.len() >= 4`.
    fn of(x: &[f32], d: usize, rows: &[usize]) -> Pairs {
        let side = Side::of(x, d, rows);
        let mut h = side.kernels(&side);
        let s = rows.len();
        (0..s).for_each(|i| h[(i, i)] = 0.0);
        let n = s as f64;
        let sums: Vec<f64> = h.col_iter().map(|c| c.iter().sum::<f64>()).collect();
        let all = sums.iter().sum::<f64>() / ((n - 1.0) * (n - 2.0));
        for i in 0..s {
            for j in (0..s).filter(|&j| j != i) {
                h[(j, i)] += all - (sums[i] + sums[j]) / (n - 2.0);
            }
        }
        let square = |i: usize| h.col(i).iter().map(|v| v * v).sum::<f64>();
        let square = (0..s).map(square).sum::<f64>() / (n * (n - 3.0));
        Pairs { h, square }
    }

    /// What pairs of n rows add to the variance of the estimate.
    fn variance(&self, n: usize) -> f64 {
        2.0 * self.square / (n as f64 * (n as f64 - 1.0))
    }
}

/// How far the estimate of n rows lies from its average, in rising order.
fn law(sums: &Sums, pairs: &Pairs, rows: &[usize]) -> Vec<f64> {
    let (n, s) = (sums.own.len() as f64, rows.len() as f64);
    let at = |i: usize| sums.own[i] / (n - 1.0) - sums.cross[i] / sums.m;
    let spread = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        (mean, square / (count - 1.0))
    };
    let all: Vec<f64> = (0..sums.own.len()).map(at).collect();
    let known = (spread(&all).1 - pairs.square / (n - 1.0)).max(0.0);
    let mut single: Vec<f64> = rows.iter().map(|&i| all[i]).collect();
    let (mean, variance) = spread(&single);
    let scale = if variance > 0.0 {
        (known / variance).sqrt()
    } else {
        0.0
    };
    single.iter_mut().for_each(|v| *v = (*v - mean) * scale);
    let first = 2.0 / (s * n).sqrt();
    let second = 1.0 / (s * (s - 1.0) * n * (n - 1.0)).sqrt();
    let some = |start: usize| -> Vec<f64> {
        let count = AT_ONCE.min(RESAMPLES - start);
        let mut weights = Mat::from_fn(rows.len(), count, |_, _| -1.0);
        for resample in 0..count {
            let lane = (start + resample) as u64;
            let mut rng = named("runner: kernel bootstrap, images", lane);
            (0..rows.len()).for_each(|_| weights[(below(&mut rng, rows.len()), resample)] += 1.0);
        }
        let mut turned = Mat::<f64>::zeros(rows.len(), count);
        let (h, w) = (pairs.h.as_ref(), weights.as_ref());
        matmul(turned.as_mut(), Accum::Replace, h, w, 1.0, Par::Seq);
        let moved = |resample: usize| {
            let weights = weights.col(resample).iter();
            let parts = weights.zip(&single).zip(turned.col(resample).iter());
            parts
                .map(|((w, single), turned)| w * (first * single + second * turned))
                .sum()
        };
        (0..count).map(moved).collect()
    };
    let starts: Vec<usize> = (0..RESAMPLES).step_by(AT_ONCE).collect();
    let mut moved: Vec<f64> = starts.into_par_iter().flat_map_iter(some).collect();
    moved.sort_by(f64::total_cmp);
    moved
}

/// The points of a law in rising order between which 95 % of it lie, its skewness allowed for.
fn between(rising: &[f64]) -> [f64; 2] {
    let count = rising.len() as f64;
    let mean = rising.iter().sum::<f64>() / count;
    let power = |p: i32| rising.iter().map(|v| (v - mean).powi(p)).sum::<f64>() / count;
    let deviation = power(2).sqrt();
    let acceleration = if deviation > 0.0 {
        power(3) / (6.0 * deviation.powi(3))
    } else {
        0.0
    };
    [-Z, Z].map(|z| {
        let z = z / (1.0 - acceleration * z).max(LEAST);
        let level = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
        rising[((level * count) as usize).min(rising.len() - 1)]
    })
}

/// What leaving out row `i` adds to the value.
fn without(sums: &Sums, i: usize) -> f64 {
    let (n, m) = (sums.own.len() as f64, sums.m);
    let (own, cross, _) = sums.totals;
    let (all, rest) = (n * (n - 1.0), (n - 1.0) * (n - 2.0));
    let inner = (own * (all - rest) / all - 2.0 * sums.own[i]) / rest;
    let outer = (cross / n - sums.cross[i]) / ((n - 1.0) * m);
    inner - 2.0 * outer
}
