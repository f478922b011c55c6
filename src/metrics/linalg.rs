//! Symmetric eigenvalues and the trace of a matrix product's square root, in f64.
//!
//! Everything runs on the calling thread: a blocked decomposition that is shared out over
//! threads rounds differently with their number, and then two machines would print two scores.

use anyhow::{Result, anyhow, ensure};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{BlockStructure, matmul as half_matmul};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// Memory for eigenvalues of matrices of one size, kept between calls.
pub struct Workspace {
    size: usize,
    memory: MemBuffer,
}

impl Workspace {
    pub fn new(size: usize) -> Workspace {
        let need = self_adjoint_evd_scratch::<f64>(
            size,
            ComputeEigenvectors::No,
            Par::Seq,
            Default::default(),
        );
        Workspace {
            size,
            memory: MemBuffer::new(need),
        }
    }

    /// Eigenvalues, rising, of the symmetric matrix in the lower triangle of `a`.
    pub fn eigenvalues(&mut self, a: MatRef<'_, f64>) -> Result<Vec<f64>> {
        let n = a.nrows();
        if n > self.size {
            *self = Workspace::new(n);
        }
        let mut values = Diag::<f64>::zeros(n);
        self_adjoint_evd(
            a,
            values.as_mut(),
            None,
            Par::Seq,
            MemStack::new(&mut self.memory),
            Default::default(),
        )
        .map_err(|_| anyhow!("the eigenvalues of a {n}x{n} matrix did not converge"))?;
        Ok(values.column_vector().iter().copied().collect())
    }
}

/// Eigenvalues (rising) and eigenvectors (columns) of the symmetric matrix in the lower
/// triangle of `a`.
pub fn eigh(a: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = a.nrows();
    let need =
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    let mut values = Diag::<f64>::zeros(n);
    let mut vectors = Mat::<f64>::zeros(n, n);
    self_adjoint_evd(
        a,
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(need)),
        Default::default(),
    )
    .map_err(|_| anyhow!("the eigenvectors of a {n}x{n} matrix did not converge"))?;
    Ok((values.column_vector().iter().copied().collect(), vectors))
}

/// `L` `[d, r]` with `L·Lᵀ` = `a`, where r is the rank of the positive semi-definite `a`.
///
/// Eigenvalues that rounding alone explains (below d·ε of the largest) are left out, which
/// keeps a covariance of fewer rows than features at its true rank.
pub fn factor(a: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let (values, vectors) = eigh(a)?;
    let floor = rounding_floor(&values);
    let kept = values
        .iter()
        .position(|&v| v > floor)
        .unwrap_or(values.len());
    Ok(Mat::from_fn(a.nrows(), values.len() - kept, |i, j| {
        vectors[(i, kept + j)] * values[kept + j].sqrt()
    }))
}

/// Trace of (A·B)^{1/2} from factors `A` = `L·Lᵀ` `[d, r]` and `B` = `M·Mᵀ` `[d, s]`.
///
/// It is the sum of the singular values of `Lᵀ·M`, the square roots of the eigenvalues of the
/// symmetric A^{1/2}·B·A^{1/2}: real whatever the ranks, and no zero eigenvalue of a thin
/// covariance has its rounding enlarged by a square root.
pub fn trace_sqrt_of_factors(l: MatRef<'_, f64>, m: MatRef<'_, f64>) -> Result<f64> {
    let (r, s) = (l.ncols(), m.ncols());
    if r == 0 || s == 0 {
        return Ok(0.0);
    }
    let mut product = Mat::<f64>::zeros(r, s);
    let whole = Accum::Replace;
    matmul(product.as_mut(), whole, l.transpose(), m, 1.0, Par::Seq);
    let no = ComputeSvdVectors::No;
    let need = svd_scratch::<f64>(r, s, no, no, Par::Seq, Default::default());
    let mut values = Diag::<f64>::zeros(r.min(s));
    svd(
        product.as_ref(),
        values.as_mut(),
        None,
        None,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(need)),
        Default::default(),
    )
    .map_err(|_| anyhow!("the singular values of a {r}x{s} matrix did not converge"))?;
    Ok(values.column_vector().iter().sum())
}

/// Trace of (A·B)^{1/2} of two symmetric positive semi-definite `[d, d]` matrices.
pub fn trace_sqrt_product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<f64> {
    ensure!(
        a.nrows() == b.nrows(),
        "a {0}x{0} matrix cannot be multiplied with a {1}x{1} one",
        a.nrows(),
        b.nrows()
    );
    let (l, m) = rayon::join(|| factor(a), || factor(b));
    trace_sqrt_of_factors(l?.as_ref(), m?.as_ref())
}

/// Sum of the square roots of a positive semi-definite matrix's eigenvalues (rising order);
/// those that rounding alone explains, negative ones among them, count as zero.
pub fn sum_of_roots(eigenvalues: &[f64]) -> f64 {
    let floor = rounding_floor(eigenvalues);
    let kept = eigenvalues.iter().filter(|&&v| v > floor);
    kept.map(|v| v.sqrt()).sum()
}

fn rounding_floor(rising: &[f64]) -> f64 {
    let largest = rising.last().copied().unwrap_or(0.0).max(0.0);
    largest * rising.len() as f64 * f64::EPSILON
}

/// Adds `x·xᵀ` of `x` `[d, n]` to the lower triangle of `to` `[d, d]`.
pub fn add_gram(to: MatMut<'_, f64>, x: MatRef<'_, f64>) {
    half_gram(to, Accum::Add, x);
}

/// Sets the lower triangle of `to` `[d, d]` to `x·xᵀ` of `x` `[d, n]`.
pub fn set_gram(to: MatMut<'_, f64>, x: MatRef<'_, f64>) {
    half_gram(to, Accum::Replace, x);
}

fn half_gram(to: MatMut<'_, f64>, accum: Accum, x: MatRef<'_, f64>) {
    half_matmul(
        to,
        BlockStructure::TriangularLower,
        accum,
        x,
        BlockStructure::Rectangular,
        x.transpose(),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
}

/// `a·b` on the calling thread.
pub fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}
