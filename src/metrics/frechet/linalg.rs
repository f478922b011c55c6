//! Factors and products of matrices in f64, and how they are shared among threads.
//!
//! Decompositions are always cut into `SHARES` shares, however many threads there are: a blocked
//! one rounds differently with the number of its shares, and then two machines would print two
//! scores. A product's shares are rows and columns of its result, each summed by itself: it takes
//! every thread.

use anyhow::{Result, anyhow};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::{llt, llt_pivoting};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::BlockStructure::{Rectangular, TriangularLower};
use faer::linalg::matmul::triangular::{BlockStructure, matmul as half_matmul};
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// Shares that decompositions of large matrices are cut into.
const SHARES: usize = 2;
/// Matrices of fewer rows stay on the calling thread.
pub(super) const SMALL: usize = 256;

/// How a product of at most `n` rows and columns is worked on: by all threads of the pool.
fn every_thread(n: usize) -> Par {
    if n < SMALL { Par::Seq } else { Par::rayon(0) }
}

/// How a matrix of `n` rows is decomposed; it depends on nothing else.
pub(super) fn par(n: usize) -> Par {
    if n < SMALL {
        Par::Seq
    } else {
        Par::rayon(SHARES)
    }
}

/// `L` `[d, r]` with `L·Lᵀ` = `a`, where r is the rank of the positive semi-definite `a`.
pub struct Factor {
    pub matrix: Mat<f64>,
    /// Of `matrix`: products with a lower triangle need half the work.
    shape: BlockStructure,
}

impl Factor {
    /// Of the lower triangle of `a` (Cholesky, with pivots where the rank is not full).
    ///
    /// What is left of a pivot by rounding alone (below d·ε of the largest) ends the factor,
    /// which keeps a covariance of fewer rows than features at its true rank.
    pub fn of(a: MatRef<'_, f64>) -> Result<Factor> {
        let d = a.nrows();
        let largest = (0..d).map(|i| a[(i, i)]).fold(0.0, f64::max);
        let floor = largest * d as f64 * f64::EPSILON;
        if largest == 0.0 {
            return Ok(Factor {
                matrix: Mat::zeros(d, 0),
                shape: Rectangular,
            });
        }
        let mut l = lower(a);
        let need = llt::factor::cholesky_in_place_scratch::<f64>(d, par(d), Default::default());
        let plain = llt::factor::cholesky_in_place(
            l.as_mut(),
            Default::default(),
            par(d),
            MemStack::new(&mut MemBuffer::new(need)),
            Default::default(),
        );
        if plain.is_ok() && (0..d).all(|i| l[(i, i)] * l[(i, i)] > floor) {
            return Ok(Factor {
                // The factorisation leaves what it likes above the diagonal.
                matrix: lower(l.as_ref()),
                shape: TriangularLower,
            });
        }
        Factor::pivoted(a)
    }

    fn pivoted(a: MatRef<'_, f64>) -> Result<Factor> {
        let d = a.nrows();
        let mut l = lower(a);
        let (mut order, mut inverse) = (vec![0usize; d], vec![0usize; d]);
        let need = llt_pivoting::factor::cholesky_in_place_scratch::<usize, f64>(
            d,
            par(d),
            Default::default(),
        );
        let (info, _) = llt_pivoting::factor::cholesky_in_place(
            l.as_mut(),
            &mut order,
            &mut inverse,
            par(d),
            MemStack::new(&mut MemBuffer::new(need)),
            Default::default(),
        )
        .map_err(|_| {
            anyhow!("a covariance has a negative variance\nhint: the file that it came from may be damaged")
        })?;
        let matrix = Mat::from_fn(d, info.rank, |i, j| {
            if inverse[i] >= j {
                l[(inverse[i], j)]
            } else {
                0.0
            }
        });
        Ok(Factor {
            matrix,
            shape: Rectangular,
        })
    }

    pub fn rank(&self) -> usize {
        self.matrix.ncols()
    }

    /// `Lᵀ·b·L` `[r, r]` of a symmetric `b` `[d, d]`: its lower triangle.
    pub fn sandwich(&self, b: MatRef<'_, f64>) -> Mat<f64> {
        let (d, r) = (self.matrix.nrows(), self.rank());
        let mut right = Mat::zeros(d, r);
        half(
            (right.as_mut(), Rectangular),
            Accum::Replace,
            (b, Rectangular),
            (self.matrix.as_ref(), self.shape),
        );
        let mut out = Mat::zeros(r, r);
        half(
            (out.as_mut(), TriangularLower),
            Accum::Replace,
            (self.matrix.transpose(), self.shape.transpose()),
            (right.as_ref(), Rectangular),
        );
        out
    }
}

/// `to` = or += `a`·`b`, each of its shape: zeros of a triangle are not multiplied.
fn half(
    (to, to_shape): (MatMut<'_, f64>, BlockStructure),
    accum: Accum,
    (a, a_shape): (MatRef<'_, f64>, BlockStructure),
    (b, b_shape): (MatRef<'_, f64>, BlockStructure),
) {
    let par = every_thread(a.nrows().max(b.ncols()));
    half_matmul(to, to_shape, accum, a, a_shape, b, b_shape, 1.0, par);
}

/// The lower triangle of `a`, zeros above.
fn lower(a: MatRef<'_, f64>) -> Mat<f64> {
    let mut l = Mat::zeros(a.nrows(), a.nrows());
    for j in 0..a.nrows() {
        let below = a.col(j).subrows(j, a.nrows() - j);
        l.as_mut()
            .col_mut(j)
            .subrows_mut(j, a.nrows() - j)
            .copy_from(below);
    }
    l
}

/// Adds `x·xᵀ` of `x` `[d, n]` to the lower triangle of `to` `[d, d]`.
pub fn add_gram(to: MatMut<'_, f64>, x: MatRef<'_, f64>) {
    half(
        (to, TriangularLower),
        Accum::Add,
        (x, Rectangular),
        (x.transpose(), Rectangular),
    );
}

/// `a·b`.
pub fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    let par = every_thread(a.nrows().max(b.ncols()));
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, par);
    out
}
