//! The Fréchet distance without each row in turn, exactly and for all rows at once.
//!
//! Leaving a row out takes a multiple of y·yᵀ from the covariance (y the row minus the mean) and
//! so c·u·uᵀ from M = Lᵀ·C·L, u = Lᵀ·y. With M's eigenvalues λ,
//! Σ√λ' - Σ√λ = 1/π ∫ ln(1 - c·u·(M + s²)⁻¹·u) ds over s > 0 (by the determinant lemma, and
//! because ∫ ln((a + s²)/(b + s²)) ds = π(√a - √b)). The same nodes s serve every row: the whole
//! costs one product of the rows with a `[d, r]` matrix, and inner products at the nodes.

use crate::metrics::frechet::distance::{Reference, same_dim};
use crate::metrics::frechet::linalg::product;
use crate::metrics::frechet::moments::Moments;
use crate::metrics::frechet::resolvent::Resolvent;
use crate::metrics::frechet::tridiagonal::Tridiagonal;
use crate::metrics::intervals::draws::subset;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::rows::{Rows, blocks};
use anyhow::{Result, ensure};
use faer::{Mat, MatRef};
use rayon::prelude::*;

/// The fewest rows, of which three can be left out and two still have a covariance.
pub const FEWEST: usize = 5;
/// Rows of which pairs and triples are left out as well.
const PAIRED: usize = 1000;
/// Row i is left out with i + p and i + 2p of them, for each p here.
const STRIDES: [usize; 2] = [1, 3];

impl Reference {
    /// The distance of `rows` `[n, d]` (n >= `FEWEST`, of moments `moments`) to the reference, and what
    /// leaving out each row, and pairs and triples of some rows, does to it.
    ///
    /// Rows are read once, in blocks; memory grows with d² and with n numbers, not with n·d.
    pub fn left_out(&self, moments: &Moments, rows: &mut dyn Rows) -> Result<Jackknife> {
        same_dim(self.moments.dim(), rows.dim())?;
        same_dim(self.moments.dim(), moments.dim())?;
        let n = rows.count();
        ensure!(
            n == moments.n,
            "moments of {} rows are not those of {n} rows",
            moments.n
        );
        ensure!(
            n >= FEWEST,
            "an interval of a distance needs at least {FEWEST} images, found {n}"
        );
        let m = Tridiagonal::of(self.factor.sandwich(moments.matrix()));
        let rising = m.eigenvalues()?;
        // Both decompose on few threads; side by side they take the time of the longer one.
        let (turned, value) = rayon::join(
            || Turned::of(self, moments, &m, &rising),
            || self.distance_by(moments, &rising),
        );
        let (turned, value) = (turned?, value?);
        let paired = subset(0, 0, n, PAIRED.min(n));
        let mut place = vec![usize::MAX; n];
        paired.iter().enumerate().for_each(|(p, &i)| place[i] = p);
        let mut kept = Kept::new(turned.resolvent.basis.ncols(), moments.dim(), paired.len());
        let mut gaps = Vec::with_capacity(n);
        blocks(rows, |first, block| {
            let y = centred(block, &moments.mean);
            let u = product(turned.resolvent.basis.transpose(), y.as_ref());
            gaps.extend(turned.without_one(y.as_ref(), u.as_ref()));
            for i in 0..y.ncols() {
                if let Some(&p) = place.get(first + i).filter(|&&p| p != usize::MAX) {
                    kept.u.col_mut(p).copy_from(u.col(i));
                    kept.y.col_mut(p).copy_from(y.col(i));
                }
            }
            Ok(())
        })?;
        let alone: Vec<f64> = paired.iter().map(|&i| gaps[i]).collect();
        let (pairs, triples) = turned.without_more(&kept, &alone);
        Ok(Jackknife::with_triples(value, gaps, &pairs, &triples))
    }
}

/// Some rows, minus the mean, and in the resolvent's basis.
struct Kept {
    y: Mat<f64>,
    u: Mat<f64>,
}

impl Kept {
    fn new(rank: usize, d: usize, count: usize) -> Kept {
        Kept {
            y: Mat::zeros(d, count),
            u: Mat::zeros(rank, count),
        }
    }
}

/// Rows minus `mean`, as columns.
fn centred(rows: &[f32], mean: &[f64]) -> Mat<f64> {
    let d = mean.len();
    Mat::from_fn(d, rows.len() / d, |j, i| {
        f64::from(rows[i * d + j]) - mean[j]
    })
}

/// What all rows share.
struct Turned {
    n: f64,
    /// Mean of the rows minus the reference's.
    offset: Vec<f64>,
    trace: f64,
    /// Σ√λ.
    roots: f64,
    resolvent: Resolvent,
}

impl Turned {
    fn of(
        reference: &Reference,
        moments: &Moments,
        m: &Tridiagonal,
        rising: &[f64],
    ) -> Result<Turned> {
        let resolvent = Resolvent::of(m, reference.factor.matrix.as_ref(), rising, moments.n)?;
        let gap = |(a, b): (&f64, &f64)| a - b;
        Ok(Turned {
            n: moments.n as f64,
            offset: moments
                .mean
                .iter()
                .zip(&reference.moments.mean)
                .map(gap)
                .collect(),
            trace: moments.trace(),
            roots: resolvent.values.iter().map(|v| v.sqrt()).sum(),
            resolvent,
        })
    }

    /// What leaving out each column of `y` (centred rows; `u` in the basis) adds to the distance.
    fn without_one(&self, y: MatRef<'_, f64>, u: MatRef<'_, f64>) -> Vec<f64> {
        let c = self.n / ((self.n - 1.0) * (self.n - 1.0));
        let q = self.resolvent.squares(u);
        let steps = &self.resolvent.steps;
        let change = |i: usize| {
            let log = |j: usize| (-c * q[(j, i)]).max(LEAST).ln_1p() * steps[j];
            let roots: f64 = (0..steps.len()).map(log).sum();
            let square: f64 = y.col(i).iter().map(|v| v * v).sum();
            let moved = |j: usize| -y[(j, i)] / (self.n - 1.0);
            self.change(1.0, c * square, roots, moved)
        };
        (0..y.ncols()).into_par_iter().map(change).collect()
    }

    /// The distance's change when `left` rows are left out: `taken` is the trace taken from the
    /// covariance before it is divided anew, `roots` the change of Σ√λ by the same, and
    /// `moved(j)` the change of the mean.
    fn change(&self, left: f64, taken: f64, roots: f64, moved: impl Fn(usize) -> f64) -> f64 {
        let less = self.n - 1.0 - left;
        // (n - 1)/(n - 1 - left) - 1 and its root minus 1, without cancellation.
        let grow = left / less;
        let root_grow = grow / ((1.0 + grow).sqrt() + 1.0);
        let mean: f64 = (0..self.offset.len())
            .map(|j| (2.0 * self.offset[j] + moved(j)) * moved(j))
            .sum();
        let trace = grow * self.trace - (1.0 + grow) * taken;
        mean + trace - 2.0 * (root_grow * self.roots + (1.0 + root_grow) * roots)
    }

    /// What pairs and triples of kept rows do beyond what their members do, as
    /// [`Jackknife::with_triples`] takes it.
    fn without_more(&self, kept: &Kept, alone: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (n, count) = (self.n, alone.len());
        let own = self.resolvent.squares(kept.u.as_ref());
        let (mut pairs, mut triples) = (Vec::new(), Vec::new());
        for stride in STRIDES.into_iter().filter(|s| 2 * s < count) {
            let other = |i: usize, steps: usize| (i + steps * stride) % count;
            let cross =
                [1, 2].map(|steps| self.resolvent.inner(kept.u.as_ref(), |i| other(i, steps)));
            let both = [1, 2].map(|steps| -> Vec<f64> {
                let gap = |i: usize| {
                    let j = other(i, steps);
                    let inner = |at: usize| {
                        let c = cross[steps - 1][(at, i)];
                        [[own[(at, i)], c], [c, own[(at, j)]]]
                    };
                    self.without(kept, [i, j], inner)
                };
                (0..count).into_par_iter().map(gap).collect()
            });
            let all = |i: usize| {
                let (j, l) = (other(i, 1), other(i, 2));
                let inner = |at: usize| {
                    let (a, b, c) = (own[(at, i)], own[(at, j)], own[(at, l)]);
                    let (ab, bc, ac) = (cross[0][(at, i)], cross[0][(at, j)], cross[1][(at, i)]);
                    [[a, ab, ac], [ab, b, bc], [ac, bc, c]]
                };
                self.without(kept, [i, j, l], inner)
            };
            let together: Vec<f64> = (0..count).into_par_iter().map(all).collect();
            for i in 0..count {
                let (j, l) = (other(i, 1), other(i, 2));
                let in_pairs = [both[0][i], both[0][j], both[1][i]];
                for (two, member) in [(in_pairs[0], j), (in_pairs[2], l)] {
                    pairs.push((n - 2.0) * two - (n - 1.0) * (alone[i] + alone[member]));
                }
                triples.push(
                    (n - 2.0).powi(2) * in_pairs.iter().sum::<f64>()
                        - (n - 1.0).powi(2) * (alone[i] + alone[j] + alone[l])
                        - (n - 3.0).powi(2) * together[i],
                );
            }
        }
        (pairs, triples)
    }

    /// What leaving out the kept rows `rows` together adds to the distance, from their inner
    /// products Σ u·u'/(λ + s²) at each node.
    fn without<const R: usize>(
        &self,
        kept: &Kept,
        rows: [usize; R],
        inner: impl Fn(usize) -> [[f64; R]; R],
    ) -> f64 {
        let (n, left) = (self.n, R as f64);
        let (f, k) = (1.0 / (n - 1.0), 1.0 / (n - left));
        let log = |at: usize| {
            // det(1 - f·(1 + k·11ᵀ)·G) - 1
            let mut g = inner(at);
            let sums: [f64; R] = std::array::from_fn(|c| g.iter().map(|row| row[c]).sum());
            for row in &mut g {
                let each = row.iter_mut().zip(sums);
                each.for_each(|(v, sum)| *v = f * (*v + k * sum));
            }
            determinant_change(&g).max(LEAST).ln_1p() * self.resolvent.steps[at]
        };
        let roots: f64 = (0..self.resolvent.steps.len()).map(log).sum();
        let sum = |at: usize| rows.iter().map(|&i| kept.y[(at, i)]).sum::<f64>();
        let alone = |at: usize| rows.iter().map(|&i| kept.y[(at, i)].powi(2)).sum::<f64>();
        let squares = (0..kept.y.nrows()).map(|at| alone(at) + k * sum(at).powi(2));
        self.change(left, f * squares.sum::<f64>(), roots, |at| -k * sum(at))
    }
}

/// det(1 - A) - 1 of a small matrix, without cancellation: minus its trace, plus its principal
/// minors of two, minus its determinant.
fn determinant_change<const R: usize>(a: &[[f64; R]; R]) -> f64 {
    let minor = |i: usize, j: usize| a[i][i] * a[j][j] - a[i][j] * a[j][i];
    let minors = |i: usize| (0..i).map(|j| minor(j, i)).sum::<f64>();
    let mut change: f64 = (0..R).map(|i| minors(i) - a[i][i]).sum();
    if R == 3 {
        change -= a[0][0] * minor(1, 2) - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0])
            + a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
    }
    change
}

/// A determinant's change cannot reach -1 but by rounding.
const LEAST: f64 = -1.0 + f64::EPSILON;
