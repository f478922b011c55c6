//! Squared distances between feature rows, a tile at a time: memory grows with n·d, not n².
//!
//! A tile's inner products are taken in f32; they decide what lies clearly apart. Wherever their
//! rounding could matter, the distance is taken again from the differences in f64, so that every
//! answer is that of exact distances.

use crate::metrics::rows::check_rows;
use anyhow::Result;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;
use std::sync::Mutex;

/// Rows of a tile's side.
const TILE: usize = 512;

/// Feature rows `[n, d]` with their squared lengths.
pub struct Points<'a> {
    rows: &'a [f32],
    d: usize,
    squares: Vec<f64>,
    /// Their roots.
    lengths: Vec<f64>,
    /// See [`spread`].
    spread: f64,
}

/// A squared distance, known to within a bound; exactly when asked.
pub struct Distance<'a> {
    /// From the f32 inner product.
    near: f64,
    /// How far `near` may be off.
    bound: f64,
    x: &'a [f32],
    y: &'a [f32],
}

impl Distance<'_> {
    /// The sum of the squared differences, in f64.
    pub fn exact(&self) -> f64 {
        squared_distance(self.x, self.y)
    }

    /// No value below this is possible.
    pub fn least(&self) -> f64 {
        self.near - self.bound
    }

    /// Whether the distance is at most `limit`, or less than it where `strict`.
    pub fn within(&self, limit: f64, strict: bool) -> bool {
        if (self.near - limit).abs() > self.bound {
            return self.near < limit;
        }
        let exact = self.exact();
        exact < limit || (!strict && exact == limit)
    }
}

/// In eight running sums, so that the processor adds them side by side.
fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (mut a, mut b) = (x.chunks_exact(8), y.chunks_exact(8));
    for (a, b) in (&mut a).zip(&mut b) {
        for i in 0..8 {
            let gap = f64::from(a[i]) - f64::from(b[i]);
            sums[i] += gap * gap;
        }
    }
    for (i, (a, b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
        let gap = f64::from(*a) - f64::from(*b);
        sums[i] += gap * gap;
    }
    sums.iter().sum()
}

impl<'a> Points<'a> {
    /// `rows` `[n, d]`, all finite.
    pub fn of(rows: &'a [f32], d: usize) -> Result<Points<'a>> {
        check_rows(rows, d)?;
        let square = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        let squares: Vec<f64> = rows.par_chunks_exact(d).map(square).collect();
        Ok(Points {
            rows,
            d,
            lengths: squares.iter().map(|v| v.sqrt()).collect(),
            squares,
            spread: spread(d),
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.squares.len()
    }

    pub fn is_empty(&self) -> bool {
        self.squares.is_empty()
    }

    /// Features of a row.
    pub fn dim(&self) -> usize {
        self.d
    }

    fn row(&self, i: usize) -> &'a [f32] {
        &self.rows[i * self.d..(i + 1) * self.d]
    }

    /// Rows `first..first + count` as the columns of a matrix.
    fn columns(&self, first: usize, count: usize) -> MatRef<'a, f32> {
        let rows = &self.rows[first * self.d..(first + count) * self.d];
        MatRef::from_column_major_slice(rows, self.d, count)
    }

    fn distance(&self, i: usize, to: &Points<'a>, j: usize, inner: f32) -> Distance<'a> {
        let (a, b) = (self.squares[i], to.squares[j]);
        let (near, bound) = match inner.is_finite() {
            true => (
                a + b - 2.0 * f64::from(inner),
                self.spread * self.lengths[i] * to.lengths[j] + 1e-14 * (a + b) + 1e-38,
            ),
            false => (0.0, f64::INFINITY),
        };
        Distance {
            near,
            bound,
            x: self.row(i),
            y: to.row(j),
        }
    }
}

/// An inner product of d terms in f32, in whatever order, is off by at most γ·|x|·|y| with
/// γ = d·u/(1 - d·u), u = 2⁻²⁴; a distance has it twice.
fn spread(d: usize) -> f64 {
    let terms = d as f64 * f64::from(f32::EPSILON) / 2.0;
    match terms < 0.5 {
        true => 2.02 * terms / (1.0 - terms),
        false => f64::INFINITY,
    }
}

/// Where a tile lies: its first rows on both sides and how many.
#[derive(Clone, Copy)]
pub struct Tile {
    pub first: (usize, usize),
    pub count: (usize, usize),
}

/// The tiles of `n` by `m` pairs; of one set with itself only those with `first.0 <= first.1`,
/// which hold every pair once, those on the diagonal twice.
pub fn tiles(n: usize, m: usize, side: usize, same: bool) -> Vec<Tile> {
    let starts = |n: usize| (0..n).step_by(side);
    starts(n)
        .flat_map(|i| starts(m).map(move |j| (i, j)))
        .filter(|(i, j)| !same || i <= j)
        .map(|(i, j)| Tile {
            first: (i, j),
            count: (side.min(n - i), side.min(m - j)),
        })
        .collect()
}

/// What was kept about the rows of both sides.
pub struct Pairs<L, R> {
    pub left: Vec<L>,
    pub right: Vec<R>,
}

/// Runs through all pairs of a row of `from` and one of `to`, tile by tile on all threads.
///
/// `left` and `right` make what is kept about a row, by its number, and
/// `step(&mut left, &mut right, (i, j), distance)` sees every pair once, in no fixed order: what
/// it makes of the states must not depend on the order.
pub fn across<'a, L: Send, R: Send>(
    from: &Points<'a>,
    to: &Points<'a>,
    left: impl Fn(usize) -> L,
    right: impl Fn(usize) -> R,
    step: impl Fn(&mut L, &mut R, (usize, usize), Distance) + Sync,
) -> Pairs<L, R> {
    let lefts = Grouped::of(from.len(), left);
    let rights = Grouped::of(to.len(), right);
    tiles(from.len(), to.len(), TILE, false)
        .into_par_iter()
        .for_each(|tile| {
            let inner = inner_products(from, to, tile);
            let mut lefts = lefts.lock(tile.first.0);
            let mut rights = rights.lock(tile.first.1);
            for (i, left) in lefts.iter_mut().enumerate() {
                for (j, right) in rights.iter_mut().enumerate() {
                    let at = (tile.first.0 + i, tile.first.1 + j);
                    let distance = from.distance(at.0, to, at.1, inner[(j, i)]);
                    step(left, right, at, distance);
                }
            }
        });
    Pairs {
        left: lefts.flatten(),
        right: rights.flatten(),
    }
}

/// All pairs of two different rows of `points`: `step` sees each from either row's side.
pub fn among<S: Send>(
    points: &Points,
    state: impl Fn(usize) -> S,
    step: impl Fn(&mut S, Distance) + Sync,
) -> Vec<S> {
    let states = Grouped::of(points.len(), state);
    tiles(points.len(), points.len(), TILE, true)
        .into_par_iter()
        .for_each(|tile| {
            let inner = inner_products(points, points, tile);
            let see = |states: &mut [S], (a, b): (usize, usize), turned: bool| {
                for (i, state) in states.iter_mut().enumerate() {
                    let others = if turned { tile.count.0 } else { tile.count.1 };
                    for j in (0..others).filter(|j| a + i != b + j) {
                        let product = if turned { inner[(i, j)] } else { inner[(j, i)] };
                        step(state, points.distance(a + i, points, b + j, product));
                    }
                }
            };
            let (first, second) = tile.first;
            see(&mut states.lock(first), (first, second), false);
            if first != second {
                see(&mut states.lock(second), (second, first), true);
            }
        });
    states.flatten()
}

/// Inner products of a tile's rows: column i belongs to the i-th left row.
fn inner_products(from: &Points, to: &Points, tile: Tile) -> Mat<f32> {
    let mut inner = Mat::<f32>::zeros(tile.count.1, tile.count.0);
    matmul(
        inner.as_mut(),
        Accum::Replace,
        to.columns(tile.first.1, tile.count.1).transpose(),
        from.columns(tile.first.0, tile.count.0),
        1.0,
        Par::Seq,
    );
    inner
}

/// One state a row, in groups of a tile's side that threads take in turn.
struct Grouped<S>(Vec<Mutex<Vec<S>>>);

impl<S> Grouped<S> {
    fn of(n: usize, state: impl Fn(usize) -> S) -> Grouped<S> {
        let group = |first: usize| (first..n.min(first + TILE)).map(&state).collect();
        Grouped(
            (0..n)
                .step_by(TILE)
                .map(|first| Mutex::new(group(first)))
                .collect(),
        )
    }

    /// The group whose first row is `first`.
    fn lock(&self, first: usize) -> std::sync::MutexGuard<'_, Vec<S>> {
        let group = self.0[first / TILE].lock();
        group.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn flatten(self) -> Vec<S> {
        let group = |g: Mutex<Vec<S>>| {
            g.into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        self.0.into_iter().flat_map(group).collect()
    }
}
