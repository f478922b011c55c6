//! The Fréchet distance between two Gaussians fitted to features.

use crate::metrics::frechet::linalg::Factor;
use crate::metrics::frechet::moments::Moments;
use crate::metrics::frechet::roots::{sum_of_roots, trace_sqrt_product};
use anyhow::{Result, ensure};

/// What SciPy-based programs add to both diagonals when their square root fails.
pub const SCIPY_EPS: f64 = 1e-6;

/// |m₁ - m₂|² + tr C₁ + tr C₂ - 2·tr (C₁·C₂)^{1/2}: FID on pooled Inception features (Heusel et al.
/// 2017, arXiv:1706.08500, eq. 6), sFID on spatial ones (Nash et al. 2021, arXiv:2103.03841), FD on
/// any others.
///
/// Exact for covariances of any rank: no ε is added to a diagonal, as scipy's square root needs.
pub fn frechet(a: &Moments, b: &Moments) -> Result<f64> {
    same_dim(b.dim(), a.dim())?;
    // The thinner side's factor is the smaller one.
    let (a, b) = if known_rank(b) < known_rank(a) {
        (b, a)
    } else {
        (a, b)
    };
    let roots = trace_sqrt_product(&Factor::of(a.matrix())?, b.matrix())?;
    Ok(assemble(a, b, roots))
}

/// A reference's moments with the factor of its covariance, which every distance to it reuses.
pub struct Reference {
    pub(crate) moments: Moments,
    pub(crate) factor: Factor,
}

impl Reference {
    pub fn new(moments: &Moments) -> Result<Reference> {
        Ok(Reference {
            moments: moments.clone(),
            factor: Factor::of(moments.matrix())?,
        })
    }

    /// The same number, to the last digits, as [`frechet`] of the reference and `other`.
    pub fn distance(&self, other: &Moments) -> Result<f64> {
        same_dim(self.moments.dim(), other.dim())?;
        let roots = if known_rank(other) < self.factor.rank() {
            trace_sqrt_product(&Factor::of(other.matrix())?, self.moments.matrix())?
        } else {
            trace_sqrt_product(&self.factor, other.matrix())?
        };
        Ok(assemble(&self.moments, other, roots))
    }

    /// [`distance`](Self::distance) to the bit, where the eigenvalues of `Lᵀ·C·L`, `rising`, are
    /// known (L this factor, C the covariance of `other`).
    pub(super) fn distance_by(&self, other: &Moments, rising: &[f64]) -> Result<f64> {
        if known_rank(other) < self.factor.rank() || rising.is_empty() {
            return self.distance(other);
        }
        let roots = sum_of_roots(&self.factor, other.matrix(), rising)?;
        Ok(assemble(&self.moments, other, roots))
    }
}

/// What the programs that take SciPy's matrix square root print of the same moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compat {
    /// The distance itself: what they print, up to rounding, where the product has full rank.
    pub exact: f64,
    /// What they print where SciPy's root is not finite: the distance with the root of
    /// (C₁ + ε·I)·(C₂ + ε·I), ε = 10⁻⁶, and the traces as they were.
    pub with_eps: f64,
    /// Whether the product of the covariances is singular. Only then can such a program print
    /// `with_eps`; where its root happens to be finite it prints `exact`, off by the rounding of
    /// the zero eigenvalues' roots (about 10⁻⁸ of the traces).
    pub singular: bool,
}

/// The distance by the rule of the ADM evaluator, pytorch-fid 0.3.0 and clean-fid 0.1.35, which
/// add 10⁻⁶ to both diagonals when SciPy's square root is not finite, beside the exact one.
pub fn compat(a: &Moments, b: &Moments) -> Result<Compat> {
    same_dim(b.dim(), a.dim())?;
    let d = a.dim();
    let lifted = |m: &Moments| {
        let mut cov = m.cov.clone();
        (0..d).for_each(|i| cov[i * (d + 1)] += SCIPY_EPS);
        Moments::given(m.n, m.mean.clone(), cov)
    };
    let (l, m) = (Factor::of(a.matrix())?, Factor::of(b.matrix())?);
    let (thin, wide) = if m.rank() < l.rank() {
        (&m, a)
    } else {
        (&l, b)
    };
    let exact = assemble(a, b, trace_sqrt_product(thin, wide.matrix())?);
    let lifted_roots = trace_sqrt_product(&Factor::of(lifted(a)?.matrix())?, lifted(b)?.matrix())?;
    Ok(Compat {
        exact,
        with_eps: unclamped(a, b, lifted_roots),
        singular: l.rank() < d || m.rank() < d,
    })
}

/// The rank that a covariance cannot exceed; files that do not tell their count say 0.
fn known_rank(m: &Moments) -> usize {
    match m.n {
        0 => m.dim(),
        n => m.dim().min(n - 1),
    }
}

/// A distance cannot be negative; that of equal sets may round below zero.
fn assemble(a: &Moments, b: &Moments, roots: f64) -> f64 {
    unclamped(a, b, roots).max(0.0)
}

fn unclamped(a: &Moments, b: &Moments, roots: f64) -> f64 {
    squared_gap(&a.mean, &b.mean) + a.trace() + b.trace() - 2.0 * roots
}

pub(crate) fn squared_gap(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

pub(crate) fn same_dim(a: usize, b: usize) -> Result<()> {
    ensure!(
        a == b,
        "the reference has {a} features and the samples have {b}\nhint: both must come from one feature network"
    );
    Ok(())
}
