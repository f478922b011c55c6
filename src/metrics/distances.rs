//! Squared distances between feature rows, a tile at a time: memory grows with n·d, not n².

use crate::metrics::moments::check_rows;
use anyhow::Result;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

/// Rows of one side of a tile; a constant, so that products round the same for any thread count.
const TILE: usize = 256;
/// Below this share of the squared lengths a distance is taken from the differences themselves.
const NEAR: f64 = 1e-8;

/// Feature rows `[n, d]` in f64 with their squared lengths.
pub struct Points {
    rows: Mat<f64>,
    squares: Vec<f64>,
}

impl Points {
    pub fn of(rows: &[f32], d: usize) -> Result<Points> {
        check_rows(rows, d)?;
        let n = rows.len() / d;
        let rows = Mat::from_fn(d, n, |j, i| f64::from(rows[i * d + j]));
        let squares = rows
            .col_iter()
            .map(|c| c.iter().map(|v| v * v).sum())
            .collect();
        Ok(Points { rows, squares })
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
        self.rows.nrows()
    }

    /// |x|² + |y|² - 2·x·y loses all digits for rows that nearly agree (copies must be at 0).
    fn distance(&self, i: usize, to: &Points, j: usize, inner: f64) -> f64 {
        let lengths = self.squares[i] + to.squares[j];
        let fast = lengths - 2.0 * inner;
        if fast > NEAR * lengths {
            return fast;
        }
        let (x, y) = (self.rows.col(i), to.rows.col(j));
        x.iter().zip(y.iter()).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

/// Folds, for each row of `from`, its inner products (`squared` false) or squared distances
/// (`squared` true) to all rows of `to` in order: `step(&mut state, j, number)` sees them one by one.
pub fn fold<S: Send>(
    from: &Points,
    to: &Points,
    squared: bool,
    start: impl Fn(usize) -> S + Sync,
    step: impl Fn(&mut S, usize, f64) + Sync,
) -> Vec<S> {
    let tiles: Vec<Vec<S>> = (0..from.len().div_ceil(TILE))
        .into_par_iter()
        .map(|tile| {
            let first = tile * TILE;
            let rows = TILE.min(from.len() - first);
            let mut states: Vec<S> = (first..first + rows).map(&start).collect();
            let mut inner = Mat::<f64>::zeros(TILE, rows);
            for begin in (0..to.len()).step_by(TILE) {
                let width = TILE.min(to.len() - begin);
                matmul(
                    inner.as_mut().subrows_mut(0, width),
                    Accum::Replace,
                    to.rows.subcols(begin, width).transpose(),
                    from.rows.subcols(first, rows),
                    1.0,
                    Par::Seq,
                );
                for (i, state) in states.iter_mut().enumerate() {
                    for j in 0..width {
                        let product = inner[(j, i)];
                        let number = if squared {
                            from.distance(first + i, to, begin + j, product)
                        } else {
                            product
                        };
                        step(state, begin + j, number);
                    }
                }
            }
            states
        })
        .collect();
    tiles.into_iter().flatten().collect()
}
