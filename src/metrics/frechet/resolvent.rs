//! Inner products u·(M + s²)⁻¹·v of many vectors at many s, M symmetric and positive definite.
//!
//! In the basis of M's eigenvectors they are one product of matrices, but the eigenvectors of a
//! large M take most of the time. A basis in which M is tridiagonal comes before them: there
//! M + s² = K·D·Kᵀ with a unit bidiagonal K, and an inner product is a sweep over the features.

use crate::metrics::frechet::linalg::{SMALL, product};
use crate::metrics::frechet::tridiagonal::{Tridiagonal, rounding_floor};
use anyhow::Result;
use faer::{Mat, MatRef};
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

/// Step between nodes in ln s: the rule's error is about exp(-π²/step) = 10⁻¹².
const STEP: f64 = 0.35;
/// How far the nodes reach below the smallest and above the largest √λ, in ln s; beyond, the
/// integrand is constant or falls as 1/s², and its tails are summed in closed form.
const BELOW: f64 = 18.0;
const ABOVE: f64 = 12.0;
/// Rows beyond M's that a tridiagonal basis needs: without three of them M keeps its rank. A rank
/// that falls makes an eigenvalue zero, which only the eigenvectors tell from rounding.
const SPARE: usize = 5;
/// Nodes that are swept side by side: eight numbers are the widest vector.
const LANES: usize = 8;
/// Columns whose sums are taken side by side, because each waits for its last number.
const GROUP: usize = 4;
/// Columns that one task sweeps.
const COLUMNS: usize = 64;

/// M in a basis, and the nodes s.
pub struct Resolvent {
    /// From a centred row to its coordinates: the factor L times the basis, `[d, r]`.
    pub basis: Mat<f64>,
    /// Eigenvalues of M above rounding, rising.
    pub values: Vec<f64>,
    /// ds/π at each node.
    pub steps: Vec<f64>,
    shifted: Shifted,
}

/// M + s² at each node.
enum Shifted {
    /// Of the eigenvectors' basis: 1/(λ + s²), `[r, nodes]`.
    Diagonal(Mat<f64>),
    /// Of a tridiagonal one.
    Bidiagonal(Bidiagonal),
}

impl Resolvent {
    /// Of the covariance `m` = Lᵀ·C·L `[r, r]` of `n` rows, `factor` L `[d, r]`, and `rising` the
    /// eigenvalues of `m`.
    ///
    /// # Errors
    ///
    /// If the eigenvectors do not converge.
    pub fn of(
        m: &Tridiagonal,
        factor: MatRef<'_, f64>,
        rising: &[f64],
        n: usize,
    ) -> Result<Resolvent> {
        if m.dim() >= SMALL && n >= m.dim() + SPARE {
            let floor = rounding_floor(rising);
            let values: Vec<f64> = rising.iter().copied().filter(|v| *v > floor).collect();
            let (nodes, steps) = nodes(&values);
            // Zeros are lifted to the rounding, so that M + s² stays positive. They cancel but for a
            // row that is alone in a direction: that is off by 10⁻⁶ of the largest √λ at most.
            let lift = (floor - rising.first().copied().unwrap_or(0.0)).max(0.0);
            return Ok(Resolvent {
                basis: m.turn(factor),
                shifted: Shifted::Bidiagonal(Bidiagonal::of(m, lift, &nodes)),
                values,
                steps,
            });
        }
        let (values, vectors) = m.eigenvectors()?;
        let floor = rounding_floor(&values);
        let null = values.iter().filter(|&&v| v <= floor).count();
        let values = values[null..].to_vec();
        let (nodes, steps) = nodes(&values);
        let table = Mat::from_fn(values.len(), nodes.len(), |k, j| {
            1.0 / (values[k] + nodes[j] * nodes[j])
        });
        Ok(Resolvent {
            basis: product(factor, vectors.subcols(null, values.len())),
            shifted: Shifted::Diagonal(table),
            values,
            steps,
        })
    }

    /// Of columns `u` `[r, n]`, u·(M + s²)⁻¹·u at each node: `[nodes, n]`.
    pub fn squares(&self, u: MatRef<'_, f64>) -> Mat<f64> {
        match &self.shifted {
            Shifted::Diagonal(table) => products(table, u, |i| i),
            Shifted::Bidiagonal(factors) => {
                let pairs = [[0, 0], [1, 1], [2, 2], [3, 3]];
                factors.sums(u, self.steps.len(), |group| group, pairs)
            }
        }
    }

    /// The same with u·(M + s²)⁻¹·v, where v is the column `other(i)` of column i.
    pub fn inner(&self, u: MatRef<'_, f64>, other: impl Fn(usize) -> usize + Sync) -> Mat<f64> {
        match &self.shifted {
            Shifted::Diagonal(table) => products(table, u, other),
            Shifted::Bidiagonal(factors) => {
                let with = |[a, b, c, d]: [usize; GROUP]| {
                    [a, other(a), b, other(b), c, other(c), d, other(d)]
                };
                let pairs = [[0, 1], [2, 3], [4, 5], [6, 7]];
                factors.sums(u, self.steps.len(), with, pairs)
            }
        }
    }
}

fn products(table: &Mat<f64>, u: MatRef<'_, f64>, other: impl Fn(usize) -> usize) -> Mat<f64> {
    let mixed = Mat::from_fn(u.nrows(), u.ncols(), |k, i| u[(k, i)] * u[(k, other(i))]);
    product(table.transpose(), mixed.as_ref())
}

/// T + s² = K·D·Kᵀ at each node: what is below K's diagonal, and 1/D.
struct Bidiagonal {
    rows: usize,
    /// Of [`LANES`] nodes after the others, row by row; nodes beyond the last are zeros.
    sweeps: Vec<Sweep>,
}

/// A row of K and D at several nodes.
#[derive(Clone, Copy, Default)]
struct Sweep {
    below: [f64; LANES],
    inverse: [f64; LANES],
}

impl Bidiagonal {
    fn of(m: &Tridiagonal, lift: f64, nodes: &[f64]) -> Bidiagonal {
        let mut sweeps = vec![Sweep::default(); m.dim() * nodes.len().div_ceil(LANES)];
        let tasks = sweeps.par_chunks_mut(m.dim()).zip(nodes.par_chunks(LANES));
        tasks.for_each(|(sweeps, nodes)| {
            let mut before = Sweep::default();
            for (k, sweep) in sweeps.iter_mut().enumerate() {
                let side = k.checked_sub(1).map_or(0.0, |k| m.below[k]);
                for (lane, s) in nodes.iter().enumerate() {
                    let below = side * before.inverse[lane];
                    let diagonal = m.diagonal[k] + lift + s * s;
                    sweep.below[lane] = below;
                    sweep.inverse[lane] = 1.0 / (diagonal - side * below);
                }
                before = *sweep;
            }
        });
        Bidiagonal {
            rows: m.dim(),
            sweeps,
        }
    }

    /// For each column of `u`, y·D⁻¹·z at each node: `[nodes, n]`. A group's columns are swept
    /// with those that `taken` adds to it; `pairs` says which of all these are y and z, K·y and
    /// K·z being columns of `u`.
    fn sums<const ALL: usize>(
        &self,
        u: MatRef<'_, f64>,
        nodes: usize,
        taken: impl Fn([usize; GROUP]) -> [usize; ALL] + Sync,
        pairs: [[usize; 2]; GROUP],
    ) -> Mat<f64> {
        let mut sums = Mat::zeros(nodes, u.ncols());
        let column = |i: usize| {
            let column = u.col(i).try_as_col_major();
            column.expect("of a matrix that lies by columns").as_slice()
        };
        // The widest vectors that there are; none of the sums depends on their width.
        let vectors = Arch::new();
        let tasks = sums.par_col_chunks_mut(COLUMNS).enumerate();
        tasks.for_each(|(task, mut sums)| {
            for (at, sweeps) in self.sweeps.chunks(self.rows).enumerate() {
                for c in (0..sums.ncols()).step_by(GROUP) {
                    // The last column stands in for those that are missing.
                    let last = sums.ncols() - 1;
                    let group = std::array::from_fn(|k| task * COLUMNS + (c + k).min(last));
                    let columns = taken(group).map(column);
                    let lanes = vectors.dispatch(Group {
                        sweeps,
                        columns,
                        pairs,
                    });
                    for (sum, c) in lanes.iter().zip(c..=last) {
                        for (value, node) in sum.iter().zip(at * LANES..nodes) {
                            sums[(node, c)] = *value;
                        }
                    }
                }
            }
        });
        sums
    }
}

/// Columns K·y that are swept together, and the pairs of y and z among them.
struct Group<'a, const ALL: usize> {
    sweeps: &'a [Sweep],
    columns: [&'a [f64]; ALL],
    pairs: [[usize; 2]; GROUP],
}

impl<const ALL: usize> NullaryFnOnce for Group<'_, ALL> {
    type Output = [[f64; LANES]; GROUP];

    // A closure would not be made part of what is compiled for wide vectors.
    #[inline(always)]
    fn call(self) -> Self::Output {
        swept(self.sweeps, self.columns, self.pairs)
    }
}

/// y·D⁻¹·z at the nodes of `sweeps`, for each of the `pairs` of y and z among `columns` K·y.
#[inline(always)]
fn swept<const ALL: usize>(
    sweeps: &[Sweep],
    columns: [&[f64]; ALL],
    pairs: [[usize; 2]; GROUP],
) -> [[f64; LANES]; GROUP] {
    let columns = columns.map(|column| &column[..sweeps.len()]);
    let mut z = [[0.0; LANES]; ALL];
    let mut sums = [[0.0; LANES]; GROUP];
    for (k, sweep) in sweeps.iter().enumerate() {
        for (z, column) in z.iter_mut().zip(columns) {
            for (z, below) in z.iter_mut().zip(sweep.below) {
                *z = column[k] - below * *z;
            }
        }
        for (sum, [a, b]) in sums.iter_mut().zip(pairs) {
            for lane in 0..LANES {
                sum[lane] += z[a][lane] * z[b][lane] * sweep.inverse[lane];
            }
        }
    }
    sums
}

/// Nodes s > 0 and steps ds/π of the trapezium rule in ln s, for eigenvalues in rising order.
fn nodes(rising: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (Some(least), Some(most)) = (rising.first(), rising.last()) else {
        return (Vec::new(), Vec::new());
    };
    let (low, high) = (0.5 * least.ln() - BELOW, 0.5 * most.ln() + ABOVE);
    let count = ((high - low) / STEP).ceil() as usize;
    let nodes: Vec<f64> = (0..=count).map(|j| (low + j as f64 * STEP).exp()).collect();
    let mut steps: Vec<f64> = nodes
        .iter()
        .map(|s| s * STEP / std::f64::consts::PI)
        .collect();
    let tail = 1.0 + 1.0 / STEP.exp_m1();
    steps[0] *= tail;
    steps[count] *= tail;
    (nodes, steps)
}
