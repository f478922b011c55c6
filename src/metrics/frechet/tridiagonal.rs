//! Symmetric matrices as Q·T·Qᵀ with a tridiagonal T, and their eigenvalues and eigenvectors.

use crate::metrics::frechet::linalg::par;
use anyhow::{Result, anyhow};
use faer::diag::{Diag, DiagRef};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::{
    ComputeEigenvectors, self_adjoint_evd_scratch, tridiagonal_self_adjoint_evd,
};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as on_the_left_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as on_the_left,
    apply_block_householder_sequence_on_the_right_in_place_scratch as on_the_right_scratch,
    apply_block_householder_sequence_on_the_right_in_place_with_conj as on_the_right,
};
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{Conj, Mat, MatMut, MatRef};

/// A symmetric `[n, n]` matrix as Q·T·Qᵀ: Q orthogonal, T symmetric and tridiagonal.
pub struct Tridiagonal {
    /// Householder vectors of Q, `[n, n]`: unit lower triangular from the second row on.
    vectors: Mat<f64>,
    /// What joins them to blocks of reflections, `[block, n - 1]`.
    factors: Mat<f64>,
    /// Of T, n numbers.
    pub(super) diagonal: Vec<f64>,
    /// Of T, n - 1 numbers.
    pub(super) below: Vec<f64>,
}

impl Tridiagonal {
    /// Of the symmetric matrix in the lower triangle of `a` `[n, n]`.
    pub fn of(a: Mat<f64>) -> Tridiagonal {
        let (n, par) = (a.nrows(), par(a.nrows()));
        let mut vectors = a;
        let mut factors = Mat::zeros(block(n), n.saturating_sub(1));
        if n > 0 {
            let need = tridiag_in_place_scratch::<f64>(n, par, Default::default());
            let mut memory = MemBuffer::new(need);
            let stack = MemStack::new(&mut memory);
            let (to, factors) = (vectors.as_mut(), factors.as_mut());
            tridiag_in_place(to, factors, par, stack, Default::default());
        }
        Tridiagonal {
            diagonal: (0..n).map(|i| vectors[(i, i)]).collect(),
            below: (1..n).map(|i| vectors[(i, i - 1)]).collect(),
            vectors,
            factors,
        }
    }

    /// Rows of the matrix.
    pub fn dim(&self) -> usize {
        self.diagonal.len()
    }

    /// Eigenvalues, rising.
    ///
    /// # Errors
    ///
    /// If they do not converge, as those of NaNs do not.
    pub fn eigenvalues(&self) -> Result<Vec<f64>> {
        self.decompose(None)
    }

    /// Eigenvalues, rising, and eigenvectors (columns).
    ///
    /// # Errors
    ///
    /// As [`eigenvalues`](Self::eigenvalues).
    pub fn eigenvectors(&self) -> Result<(Vec<f64>, Mat<f64>)> {
        let n = self.dim();
        let mut vectors = Mat::zeros(n, n);
        let values = self.decompose(Some(vectors.as_mut()))?;
        if n > 1 {
            let mut memory = MemBuffer::new(on_the_left_scratch::<f64>(n - 1, block(n), n));
            let stack = MemStack::new(&mut memory);
            let to = vectors.as_mut().subrows_mut(1, n - 1);
            let (basis, factors) = (self.reflections(), self.factors.as_ref());
            on_the_left(basis, factors, Conj::No, to, par(n), stack);
        }
        Ok((values, vectors))
    }

    /// `a`·Q of `a` `[m, n]`.
    pub fn turn(&self, a: MatRef<'_, f64>) -> Mat<f64> {
        let (n, mut turned) = (self.dim(), a.to_owned());
        if n > 1 {
            let need = on_the_right_scratch::<f64>(n - 1, block(n), a.nrows());
            let mut memory = MemBuffer::new(need);
            let stack = MemStack::new(&mut memory);
            let to = turned.as_mut().subcols_mut(1, n - 1);
            let (basis, factors) = (self.reflections(), self.factors.as_ref());
            on_the_right(basis, factors, Conj::No, to, par(n), stack);
        }
        turned
    }

    fn reflections(&self) -> MatRef<'_, f64> {
        let n = self.dim() - 1;
        self.vectors.submatrix(1, 0, n, n)
    }

    /// Eigenvalues of T, and its eigenvectors into `vectors`.
    fn decompose(&self, vectors: Option<MatMut<'_, f64>>) -> Result<Vec<f64>> {
        let (n, par) = (self.dim(), par(self.dim()));
        if n == 0 {
            return Ok(Vec::new());
        }
        let wanted = match vectors {
            Some(_) => ComputeEigenvectors::Yes,
            None => ComputeEigenvectors::No,
        };
        // Enough for T with the reduction to it, of which there is none left to do.
        let need = self_adjoint_evd_scratch::<f64>(n, wanted, par, Default::default());
        let mut memory = MemBuffer::new(need);
        let mut values = Diag::<f64>::zeros(n);
        tridiagonal_self_adjoint_evd(
            DiagRef::from_slice(&self.diagonal),
            DiagRef::from_slice(&self.below),
            values.as_mut(),
            vectors,
            par,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .map_err(|_| anyhow!("the eigenvalues of a {n}x{n} matrix did not converge"))?;
        Ok(values.column_vector().iter().copied().collect())
    }
}

/// Reflections that are applied together.
fn block(n: usize) -> usize {
    recommended_block_size::<f64>(n, n)
}

/// The share of the largest eigenvalue below which one is put down to rounding.
pub fn rounding_floor(rising: &[f64]) -> f64 {
    let largest = rising.last().copied().unwrap_or(0.0).max(0.0);
    largest * rising.len() as f64 * f64::EPSILON
}
