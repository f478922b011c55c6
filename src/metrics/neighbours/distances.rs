//! Squared distances between feature rows, a tile at a time: memory grows with n·d, not n².
//!
//! A tile's inner products are taken in f32; they decide what lies clearly apart, most of it at a
//! glance ([`crate::metrics::neighbours::screen`]). Wherever their rounding could matter, the distance is taken
//! again from the differences in f64, so that every answer is that of exact distances.

use crate::metrics::neighbours::screen::{Reaches, Screen};
use crate::metrics::rows::check_rows;
use anyhow::Result;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;
use std::cell::OnceCell;
use std::sync::Mutex;

/// Rows of a tile's side.
const TILE: usize = 512;
/// Features whose products are added in one go: the fewer, the less is lost to rounding, and the
/// fewer distances have to be taken again.
const DEPTH: usize = 256;

/// Whether a point whose distance is exactly a hypersphere's radius lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// It does: the rule of improved precision and recall, of the ADM evaluator (but for its
    /// rounding, see [`crate::metrics::neighbours::adm_manifold`]) and of torch-fidelity 0.4.0 (`<=` of
    /// distances; it takes them in f32, so that a near tie may fall otherwise there).
    Inside,
    /// It does not: the rule of prdc 0.2 and dgm-eval.
    Outside,
}

/// Feature rows `[n, d]` with their squared lengths.
pub struct Points<'a> {
    rows: &'a [f32],
    d: usize,
    squares: Vec<f64>,
    /// Their roots.
    lengths: Vec<f64>,
    /// The largest of them.
    longest: f64,
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
    exact: OnceCell<f64>,
}

impl Distance<'_> {
    /// The sum of the squared differences, in f64.
    pub fn exact(&self) -> f64 {
        *self.exact.get_or_init(|| squared_distance(self.x, self.y))
    }

    /// No value below this is possible.
    pub fn least(&self) -> f64 {
        self.near - self.bound
    }

    /// Whether a point at this distance lies in the hypersphere of squared radius `radius`.
    pub fn within(&self, radius: f64, border: Border) -> bool {
        if (self.near - radius).abs() > self.bound {
            return self.near < radius;
        }
        let exact = self.exact();
        exact < radius || (border == Border::Inside && exact == radius)
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
        let lengths: Vec<f64> = squares.iter().map(|v| v.sqrt()).collect();
        Ok(Points {
            rows,
            d,
            longest: lengths.iter().copied().fold(0.0, f64::max),
            lengths,
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
        let (near, bound) = if inner.is_finite() {
            (
                a + b - 2.0 * f64::from(inner),
                self.spread * self.lengths[i] * to.lengths[j] + 1e-14 * (a + b) + 1e-38,
            )
        } else {
            (0.0, f64::INFINITY)
        };
        Distance {
            near,
            bound,
            x: self.row(i),
            y: to.row(j),
            exact: OnceCell::new(),
        }
    }
}

/// A term of an inner product in f32 is rounded at most m times: once as a product, as often as
/// [`DEPTH`] terms are added, in whatever order, and once a sum of theirs. The whole is then off by
/// at most γ·|x|·|y| with γ = m·u/(1 - m·u), u = 2⁻²⁴ (Higham 2002, "Accuracy and Stability of
/// Numerical Algorithms", 3.1); a distance has it twice.
fn spread(d: usize) -> f64 {
    let roundings = d.min(DEPTH) + d.div_ceil(DEPTH);
    let terms = roundings as f64 * f64::from(f32::EPSILON) / 2.0;
    if terms < 0.5 {
        2.02 * terms / (1.0 - terms)
    } else {
        f64::INFINITY
    }
}

/// Where a tile lies: its first rows on both sides and how many.
#[derive(Clone, Copy)]
pub struct Tile {
    pub first: (usize, usize),
    pub count: (usize, usize),
}

/// The tiles of `n` by `m` pairs, of `side` rows a side.
pub fn tiles(n: usize, m: usize, side: usize) -> Vec<Tile> {
    let starts = |n: usize| (0..n).step_by(side);
    starts(n)
        .flat_map(|i| starts(m).map(move |j| (i, j)))
        .map(|(i, j)| Tile {
            first: (i, j),
            count: (side.min(n - i), side.min(m - j)),
        })
        .collect()
}

/// The tiles of a set of `n` rows with itself: only those with `first.0 <= first.1`, which hold every
/// pair once, those on the diagonal twice.
pub fn tiles_of_one(n: usize, side: usize) -> Vec<Tile> {
    let mut tiles = tiles(n, n, side);
    tiles.retain(|tile| tile.first.0 <= tile.first.1);
    tiles
}

/// What was kept about the rows of both sides.
pub struct Pairs<L, R> {
    pub left: Vec<L>,
    pub right: Vec<R>,
}

/// Runs through the pairs of a row of `from` and one of `to` whose squared distance may be at most
/// the first row's `reach.0` or the second's `reach.1`, tile by tile on all threads.
///
/// `left` and `right` make what is kept about a row, and `step(&mut left, &mut right, (i, j),
/// distance)` sees every such pair once and some others, in no fixed order: what it makes of the
/// states must not depend on the order.
pub fn across<'a, L: Default + Send, R: Default + Send>(
    (from, to): (&Points<'a>, &Points<'a>),
    reach: (&[f64], &[f64]),
    step: impl Fn(&mut L, &mut R, (usize, usize), &Distance) + Sync,
) -> Pairs<L, R> {
    let lefts = Grouped::of(from.len(), L::default);
    let rights = Grouped::of(to.len(), R::default);
    tiles(from.len(), to.len(), TILE)
        .into_par_iter()
        .for_each(|tile| {
            let inner = inner_products(from, to, tile);
            let mut screen = screen(
                (from, to),
                tile,
                |i| reach.0[tile.first.0 + i],
                |j| reach.1[tile.first.1 + j],
            );
            let mut lefts = lefts.lock(tile.first.0);
            let mut rights = rights.lock(tile.first.1);
            screen.pass(&inner, |_, i, j| {
                let at = (tile.first.0 + i, tile.first.1 + j);
                let distance = from.distance(at.0, to, at.1, inner[(j, i)]);
                step(&mut lefts[i], &mut rights[j], at, &distance);
            });
        });
    Pairs {
        left: lefts.flatten(),
        right: rights.flatten(),
    }
}

/// Runs through the pairs of two different rows of `points` whose squared distance may be less
/// than what `reach` says of either row's state: `step(state, other, distance)` sees it, and some others, from either
/// row's side, with the number of the other row. It may make reaches less.
pub fn among<S: Send>(
    points: &Points,
    state: impl Fn() -> S,
    reach: impl Fn(&S) -> f64 + Sync,
    step: impl Fn(&mut S, usize, &Distance) + Sync,
) -> Vec<S> {
    let states = Grouped::of(points.len(), state);
    tiles_of_one(points.len(), TILE)
        .into_par_iter()
        .for_each(|tile| {
            let inner = inner_products(points, points, tile);
            let (first, second) = tile.first;
            // Every thread locks the group of lower rows first: two threads cannot wait for each other.
            let mut lefts = states.lock(first);
            let mut rights = (first != second).then(|| states.lock(second));
            let others: &[S] = rights.as_deref().unwrap_or(&lefts);
            let mut screen = screen(
                (points, points),
                tile,
                |i| reach(&lefts[i]),
                |j| reach(&others[j]),
            );
            screen.pass(&inner, |screen, i, j| {
                if first == second && i >= j {
                    return;
                }
                let distance = points.distance(first + i, points, second + j, inner[(j, i)]);
                step(&mut lefts[i], second + j, &distance);
                screen.left.set(i, reach(&lefts[i]));
                let others = rights.as_deref_mut().unwrap_or(&mut lefts);
                step(&mut others[j], first + i, &distance);
                screen.right.set(j, reach(&others[j]));
            });
        });
    states.flatten()
}

/// What is known of a tile's rows, which reach to the squared distances `left(i)` and `right(j)`.
fn screen(
    (from, to): (&Points, &Points),
    tile: Tile,
    left: impl Fn(usize) -> f64,
    right: impl Fn(usize) -> f64,
) -> Screen {
    // No partial sum of an inner product is above |x|·|y|, but for its rounding.
    let spread = if from.longest * to.longest < 1e38 {
        from.spread
    } else {
        f64::INFINITY
    };
    let lefts = &from.squares[tile.first.0..][..tile.count.0];
    let rights = &to.squares[tile.first.1..][..tile.count.1];
    Screen {
        left: Reaches::of(lefts, spread, left),
        right: Reaches::of(rights, spread, right),
    }
}

/// Inner products of a tile's rows: column i belongs to the i-th left row. They are the sums of
/// the products of [`DEPTH`] features each.
fn inner_products(from: &Points, to: &Points, tile: Tile) -> Mat<f32> {
    let (first, count) = (tile.first, tile.count);
    let mut part = Mat::<f32>::zeros(count.1, count.0);
    let mut inner = part.clone();
    for start in (0..from.d).step_by(DEPTH) {
        let depth = DEPTH.min(from.d - start);
        matmul(
            part.as_mut(),
            Accum::Replace,
            to.columns(first.1, count.1)
                .subrows(start, depth)
                .transpose(),
            from.columns(first.0, count.0).subrows(start, depth),
            1.0,
            Par::Seq,
        );
        for i in 0..count.0 {
            let sums = inner.col_as_slice_mut(i).iter_mut();
            sums.zip(part.col_as_slice(i)).for_each(|(s, v)| *s += v);
        }
    }
    inner
}

/// One state a row, in groups of a tile's side that threads take in turn.
struct Grouped<S>(Vec<Mutex<Vec<S>>>);

impl<S> Grouped<S> {
    fn of(n: usize, state: impl Fn() -> S) -> Grouped<S> {
        let group = |first: usize| (first..n.min(first + TILE)).map(|_| state()).collect();
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
