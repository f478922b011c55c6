//! The kernel distance (KID; Bińkowski et al. 2018, arXiv:1801.01401, section 4): an unbiased squared maximum mean
//! discrepancy, kernel (x·y/d + 1)³.

use crate::metrics::intervals::mersenne::Mersenne;
use crate::metrics::neighbours::distances::{Tile, tiles, tiles_of_one};
use crate::metrics::rows::check_rows;
use anyhow::{Result, ensure};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

/// Rows of a tile's side: 4 MiB of 2,048 features in f64.
const TILE: usize = 256;

/// How a program draws its subsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KidRule {
    /// torch-fidelity 0.4.0: `size` rows of each set a subset, of the first set and then of the
    /// second, by NumPy's `RandomState(seed).choice` without replacement.
    TorchFidelity {
        subsets: usize,
        size: usize,
        seed: u32,
    },
    /// clean-fid 0.1.35: at most `size` rows (the smaller set's, where that is less), of the
    /// second set and then of the first. It leaves NumPy's generator unseeded; this is what it
    /// answers after `np.random.seed(seed)`. It prints the mean alone.
    CleanFid {
        subsets: usize,
        size: usize,
        seed: u32,
    },
}

impl KidRule {
    /// torch-fidelity's defaults.
    pub const TORCH_FIDELITY: KidRule = KidRule::TorchFidelity {
        subsets: 100,
        size: 1000,
        seed: 2020,
    };
    /// clean-fid's defaults; the seed is ours.
    pub const CLEAN_FID: KidRule = KidRule::CleanFid {
        subsets: 100,
        size: 1000,
        seed: 0,
    };
}

/// The mean over subsets and its standard deviation between them (divided by their number).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelDistance {
    pub mean: f64,
    pub std: f64,
}

/// The kernel distance of `x` `[n, d]` (the program's first set) and `y` `[m, d]` by a program's
/// rule, in f64 (torch-fidelity and clean-fid work in the features' f32). It agrees with them for
/// fewer than 2³² rows.
pub fn kid(x: &[f32], y: &[f32], d: usize, rule: KidRule) -> Result<KernelDistance> {
    check_rows(x, d)?;
    check_rows(y, d)?;
    let (n, m) = (x.len() / d, y.len() / d);
    let (KidRule::TorchFidelity {
        subsets,
        size,
        seed,
    }
    | KidRule::CleanFid {
        subsets,
        size,
        seed,
    }) = rule;
    let size = match rule {
        KidRule::TorchFidelity { .. } => size,
        KidRule::CleanFid { .. } => size.min(n).min(m),
    };
    ensure!(
        subsets > 0 && size >= 2 && n >= size && m >= size,
        "{subsets} subsets of {size} images cannot be drawn from {n} and {m} images"
    );
    let mut random = Mersenne::new(seed);
    let draws: Vec<(Vec<usize>, Vec<usize>)> = (0..subsets)
        .map(|_| match rule {
            KidRule::TorchFidelity { .. } => {
                let a = random.choice(n, size);
                (a, random.choice(m, size))
            }
            KidRule::CleanFid { .. } => {
                let b = random.choice(m, size);
                (random.choice(n, size), b)
            }
        })
        .collect();
    let estimates: Vec<f64> = draws
        .par_iter()
        .map(|(a, b)| {
            let (a, b) = (Side::of(x, d, a), Side::of(y, d, b));
            let pairs = (size * size) as f64;
            let within = pairs - size as f64;
            (a.within() + b.within()) / within - 2.0 * a.across(&b) / pairs
        })
        .collect();
    let count = estimates.len() as f64;
    let mean = estimates.iter().sum::<f64>() / count;
    let off = |e: &f64| (e - mean) * (e - mean);
    Ok(KernelDistance {
        mean,
        std: (estimates.iter().map(off).sum::<f64>() / count).sqrt(),
    })
}

/// Some rows in f64, as columns.
pub(crate) struct Side(Mat<f64>);

impl Side {
    pub fn of(rows: &[f32], d: usize, at: &[usize]) -> Side {
        Side(Mat::from_fn(d, at.len(), |j, i| {
            f64::from(rows[at[i] * d + j])
        }))
    }

    fn range(rows: &[f32], d: usize, first: usize, count: usize) -> Side {
        Side(Mat::from_fn(d, count, |j, i| {
            f64::from(rows[(first + i) * d + j])
        }))
    }

    /// Kernels of all pairs, `[other, self]`.
    pub fn kernels(&self, other: &Side) -> Mat<f64> {
        let mut inner = Mat::zeros(other.0.ncols(), self.0.ncols());
        let (a, b) = (other.0.transpose(), self.0.as_ref());
        matmul(inner.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
        let d = self.0.nrows() as f64;
        for column in inner.as_mut().col_iter_mut() {
            column.iter_mut().for_each(|v| *v = cube(*v / d + 1.0));
        }
        inner
    }

    fn across(&self, other: &Side) -> f64 {
        let kernels = self.kernels(other);
        kernels.col_iter().map(|c| c.iter().sum::<f64>()).sum()
    }

    /// The sum over pairs of two different rows, each counted twice.
    fn within(&self) -> f64 {
        let n = self.0.ncols();
        let blocks = tiles_of_one(n, TILE).into_iter().map(|tile| {
            let part = |first, count| Side(self.0.subcols(first, count).to_owned());
            let (a, b) = (
                part(tile.first.0, tile.count.0),
                part(tile.first.1, tile.count.1),
            );
            let kernels = a.kernels(&b);
            if tile.first.0 == tile.first.1 {
                return off_diagonal(&kernels);
            }
            let columns = kernels.col_iter().map(|c| c.iter().sum::<f64>());
            2.0 * columns.sum::<f64>()
        });
        blocks.sum()
    }
}

pub(crate) fn cube(v: f64) -> f64 {
    v * v * v
}

fn off_diagonal(kernels: &Mat<f64>) -> f64 {
    let skip = |(j, column): (usize, faer::ColRef<'_, f64>)| {
        let rest = (0..column.nrows()).filter(|&i| i != j);
        rest.map(|i| column[i]).sum::<f64>()
    };
    kernels.col_iter().enumerate().map(skip).sum()
}

/// The unbiased estimate between all of `x` `[n, d]` and all of `y` `[m, d]`, n and m >= 2: pairs
/// of a row with itself are left out, so it is near 0, on either side, for sets of one
/// distribution. Memory grows with n + m; the work with (n + m)²·d.
pub fn mmd2(x: &[f32], y: &[f32], d: usize) -> Result<f64> {
    Ok(Sums::of(x, y, d)?.value())
}

/// Sums of kernels: of each row of x with the others, with those of y, and over pairs of y.
pub(crate) struct Sums {
    pub own: Vec<f64>,
    pub cross: Vec<f64>,
    /// Sum of `own`, of `cross`, and over pairs of two different rows of y.
    pub totals: (f64, f64, f64),
    /// Rows of y.
    pub m: f64,
}

impl Sums {
    pub fn of(x: &[f32], y: &[f32], d: usize) -> Result<Sums> {
        check_rows(x, d)?;
        check_rows(y, d)?;
        let (n, m) = (x.len() / d, y.len() / d);
        ensure!(
            n >= 2 && m >= 2,
            "the kernel distance needs at least 2 images a side, found {n} and {m}"
        );
        let own = row_sums(x, Others::Own, d);
        let cross = row_sums(x, Others::Of(y), d);
        let other: f64 = row_sums(y, Others::Own, d).iter().sum();
        Ok(Sums {
            totals: (own.iter().sum(), cross.iter().sum(), other),
            own,
            cross,
            m: m as f64,
        })
    }

    pub fn value(&self) -> f64 {
        let (n, m) = (self.own.len() as f64, self.m);
        let (own, cross, other) = self.totals;
        own / (n * (n - 1.0)) + other / (m * (m - 1.0)) - 2.0 * cross / (n * m)
    }
}

/// What rows are paired with.
#[derive(Clone, Copy)]
enum Others<'r> {
    /// The other rows of their own set.
    Own,
    /// All rows of another set.
    Of(&'r [f32]),
}

/// The sum of kernels of each row of `x` with all `others`. Tiles' sums are added in a fixed order.
fn row_sums(x: &[f32], others: Others, d: usize) -> Vec<f64> {
    let n = x.len() / d;
    let (y, tiles) = match others {
        Others::Own => (x, tiles_of_one(n, TILE)),
        Others::Of(y) => (y, tiles(n, y.len() / d, TILE)),
    };
    let same = matches!(others, Others::Own);
    let parts: Vec<(Vec<f64>, Vec<f64>)> = tiles
        .par_iter()
        .map(|&Tile { first, count }| {
            let a = Side::range(x, d, first.0, count.0);
            let b = Side::range(y, d, first.1, count.1);
            let mut kernels = a.kernels(&b);
            let diagonal = same && first.0 == first.1;
            if diagonal {
                (0..count.0).for_each(|i| kernels[(i, i)] = 0.0);
            }
            let columns = kernels.col_iter().map(|c| c.iter().sum()).collect();
            let rows = if same && !diagonal {
                kernels.row_iter().map(|r| r.iter().sum()).collect()
            } else {
                Vec::new()
            };
            (columns, rows)
        })
        .collect();
    let mut sums = vec![0.0; n];
    for (tile, (columns, rows)) in tiles.iter().zip(&parts) {
        for (first, part) in [(tile.first.0, columns), (tile.first.1, rows)] {
            sums[first.min(n)..]
                .iter_mut()
                .zip(part)
                .for_each(|(s, v)| *s += v);
        }
    }
    sums
}
