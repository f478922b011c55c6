//! The trace of a matrix product's square root, in f64.

use crate::metrics::frechet::linalg::{Factor, par, product};
use crate::metrics::frechet::tridiagonal::Tridiagonal;
use anyhow::{Result, anyhow, ensure};
use faer::MatRef;
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};

/// Rounding of an eigenvalue, in machine epsilons of the largest.
const EIGENVALUE_ROUNDING: f64 = 8.0;
/// The part of a scale that rounding may move a sum of roots before a costlier way is taken.
const ROUNDING_ALLOWED: f64 = 1e-10;

/// Trace of (A·B)^{1/2} of two positive semi-definite `[d, d]` matrices, `a` given by its factor.
///
/// It is the sum of the roots of the eigenvalues of `Lᵀ·B·L`: real whatever the ranks. Where
/// rounding could move that sum by more than 10⁻¹⁰ of the traces (an eigenvalue near zero has its
/// rounding enlarged by the root), it is taken again as the singular values of `Lᵀ·M`,
/// `B` = `M·Mᵀ`, which costs twice as much and has no such eigenvalues.
pub fn trace_sqrt_product(a: &Factor, b: MatRef<'_, f64>) -> Result<f64> {
    let d = a.matrix.nrows();
    ensure!(
        d == b.nrows(),
        "a {d}x{d} matrix cannot be multiplied with a {0}x{0} one",
        b.nrows()
    );
    if a.rank() == 0 {
        return Ok(0.0);
    }
    let values = Tridiagonal::of(a.sandwich(b)).eigenvalues()?;
    sum_of_roots(a, b, &values)
}

/// The same where the eigenvalues of `Lᵀ·B·L`, `rising`, are known.
pub(super) fn sum_of_roots(a: &Factor, b: MatRef<'_, f64>, rising: &[f64]) -> Result<f64> {
    let trace: f64 = (0..b.nrows()).map(|i| b[(i, i)]).sum();
    let scale = a.matrix.squared_norm_l2() + trace;
    if roots_rounding(rising) <= ROUNDING_ALLOWED * scale {
        return Ok(rising.iter().map(|v| v.max(0.0).sqrt()).sum());
    }
    trace_sqrt_of_factors(a.matrix.as_ref(), Factor::of(b)?.matrix.as_ref())
}

/// How far rounding, which moves all eigenvalues alike, may move the sum of their roots.
fn roots_rounding(rising: &[f64]) -> f64 {
    let unit = EIGENVALUE_ROUNDING * f64::EPSILON * rising.last().copied().unwrap_or(0.0).max(0.0);
    let square = |v: &f64| {
        if *v > unit {
            unit * unit / (4.0 * v)
        } else {
            unit
        }
    };
    rising.iter().map(square).sum::<f64>().sqrt()
}

/// Trace of (A·B)^{1/2} from factors `A` = `L·Lᵀ` `[d, r]` and `B` = `M·Mᵀ` `[d, s]`: the sum of
/// the singular values of `Lᵀ·M`.
fn trace_sqrt_of_factors(l: MatRef<'_, f64>, m: MatRef<'_, f64>) -> Result<f64> {
    let (r, s) = (l.ncols(), m.ncols());
    if r == 0 || s == 0 {
        return Ok(0.0);
    }
    let par = par(r.min(s));
    let product = product(l.transpose(), m);
    let no = ComputeSvdVectors::No;
    let need = svd_scratch::<f64>(r, s, no, no, par, Default::default());
    let mut values = Diag::<f64>::zeros(r.min(s));
    let mut memory = MemBuffer::new(need);
    let stack = MemStack::new(&mut memory);
    svd(
        product.as_ref(),
        values.as_mut(),
        None,
        None,
        par,
        stack,
        Default::default(),
    )
    .map_err(|_| anyhow!("the singular values of a {r}x{s} matrix did not converge"))?;
    Ok(values.column_vector().iter().sum())
}
