//! The Fréchet distance between two Gaussians fitted to features, and its resamples.

use crate::metrics::linalg::{
    Workspace, factor, product, set_gram, sum_of_roots, trace_sqrt_of_factors,
};
use crate::metrics::moments::{Moments, check_rows};
use anyhow::{Result, ensure};
use faer::{Mat, MatRef};

/// |m₁ - m₂|² + tr C₁ + tr C₂ - 2·tr (C₁·C₂)^{1/2}: FID on pooled Inception features, sFID on
/// spatial ones, FD on any others.
///
/// Exact for covariances of any rank: no ε is added to a diagonal, as scipy's square root needs.
pub fn frechet(a: &Moments, b: &Moments) -> Result<f64> {
    same_dim(a.dim(), b.dim())?;
    let (l, m) = rayon::join(|| factor(a.matrix()), || factor(b.matrix()));
    let roots = trace_sqrt_of_factors(l?.as_ref(), m?.as_ref())?;
    Ok(assemble(
        squared_gap(&a.mean, &b.mean),
        trace(a),
        trace(b),
        roots,
    ))
}

/// A reference's moments with the factor of its covariance, which every distance to it reuses.
pub struct Reference {
    mean: Vec<f64>,
    trace: f64,
    /// `[d, r]`, r the rank of the covariance.
    factor: Mat<f64>,
}

impl Reference {
    pub fn new(moments: &Moments) -> Result<Reference> {
        Ok(Reference {
            mean: moments.mean.clone(),
            trace: trace(moments),
            factor: factor(moments.matrix())?,
        })
    }

    /// The same number as [`frechet`] of the reference and `other`.
    pub fn distance(&self, other: &Moments) -> Result<f64> {
        same_dim(self.mean.len(), other.dim())?;
        let l = factor(other.matrix())?;
        let roots = trace_sqrt_of_factors(self.factor.as_ref(), l.as_ref())?;
        let gap = squared_gap(&self.mean, &other.mean);
        Ok(assemble(gap, self.trace, trace(other), roots))
    }

    /// Prepares distances of weighted resamples of `rows` `[n, d]`, n >= 2.
    pub fn resampler(&self, rows: &[f32], d: usize) -> Result<Resampler> {
        same_dim(self.mean.len(), d)?;
        check_rows(rows, d)?;
        let n = rows.len() / d;
        ensure!(n >= 2, "a covariance needs at least 2 rows, found {n}");
        let mut centre = vec![0.0; d];
        for row in rows.chunks_exact(d) {
            for (c, &v) in centre.iter_mut().zip(row) {
                *c += f64::from(v) / n as f64;
            }
        }
        let offset: Vec<f64> = centre.iter().zip(&self.mean).map(|(c, m)| c - m).collect();
        let centred = Mat::from_fn(d, n, |j, i| f64::from(rows[i * d + j]) - centre[j]);
        let projected = product(self.factor.transpose(), centred.as_ref());
        let rank = projected.nrows();
        // With few distinct rows the [n, n] inner products have the same non-zero eigenvalues.
        let inner = (n / 2 <= rank).then(|| product(projected.transpose(), projected.as_ref()));
        Ok(Resampler {
            norms: centred
                .col_iter()
                .map(|c| c.iter().map(|v| v * v).sum())
                .collect(),
            reference_trace: self.trace,
            offset,
            centred,
            projected,
            inner,
        })
    }
}

/// Distances of weighted resamples of one set of rows to a reference.
///
/// The rows are multiplied by the reference's factor once; a resample then costs one weighted
/// covariance of the multiplied rows and the eigenvalues of the smaller of its two forms.
pub struct Resampler {
    /// Sample mean minus reference mean, `[d]`.
    offset: Vec<f64>,
    /// Rows minus their mean, `[d, n]`.
    centred: Mat<f64>,
    /// Squared length of each centred row.
    norms: Vec<f64>,
    /// The reference's factor, transposed, times the centred rows: `[r, n]`.
    projected: Mat<f64>,
    /// Inner products of the projected rows, `[n, n]`, where resamples may want them.
    inner: Option<Mat<f64>>,
    reference_trace: f64,
}

impl Resampler {
    /// Rows that can be drawn.
    pub fn rows(&self) -> usize {
        self.norms.len()
    }

    /// Memory that [`Resampler::distance`] reuses between calls of one thread.
    pub fn workspace(&self) -> Workspace {
        Workspace::new(self.projected.nrows().max(self.rows()))
    }

    /// The distance of the rows taken `weights[i]` times each (`[n]`, sum >= 2).
    pub fn distance(&self, weights: &[u32], workspace: &mut Workspace) -> Result<f64> {
        ensure!(
            weights.len() == self.rows(),
            "{} weights were given for {} rows",
            weights.len(),
            self.rows()
        );
        let count: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        ensure!(
            count >= 2.0,
            "a covariance needs at least 2 rows, found {count}"
        );
        let drawn: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > 0).collect();
        let share: Vec<f64> = drawn
            .iter()
            .map(|&i| f64::from(weights[i]) / count)
            .collect();
        let mean = weighted_mean(self.centred.as_ref(), &drawn, &share);
        let square: f64 = mean.iter().map(|m| m * m).sum();
        let norms: f64 = drawn
            .iter()
            .zip(&share)
            .map(|(&i, s)| s * self.norms[i])
            .sum();
        let unbias = count / (count - 1.0);
        let gap: f64 = mean
            .iter()
            .zip(&self.offset)
            .map(|(m, o)| (m + o) * (m + o))
            .sum();
        let values = match &self.inner {
            Some(inner) if gram_is_cheaper(drawn.len(), self.projected.nrows()) => {
                workspace.eigenvalues(centred_inner(inner.as_ref(), &drawn, &share).as_ref())?
            }
            _ => workspace.eigenvalues(self.covariance(&drawn, &share).as_ref())?,
        };
        let roots = sum_of_roots(&values) * unbias.sqrt();
        Ok(assemble(
            gap,
            self.reference_trace,
            (norms - square) * unbias,
            roots,
        ))
    }

    /// Weighted covariance of the projected rows, lower triangle, divided by the count.
    fn covariance(&self, drawn: &[usize], share: &[f64]) -> Mat<f64> {
        let mean = weighted_mean(self.projected.as_ref(), drawn, share);
        let roots: Vec<f64> = share.iter().map(|s| s.sqrt()).collect();
        let scaled = Mat::from_fn(mean.len(), drawn.len(), |j, i| {
            (self.projected[(j, drawn[i])] - mean[j]) * roots[i]
        });
        let mut cov = Mat::zeros(mean.len(), mean.len());
        set_gram(cov.as_mut(), scaled.as_ref());
        cov
    }
}

/// Reducing a matrix to tridiagonal form is about four times dearer a step than multiplying.
fn gram_is_cheaper(rows: usize, rank: usize) -> bool {
    let (m, r) = (rows as f64, rank as f64);
    4.0 * m * m * m < r * r * (m + 4.0 * r)
}

/// Inner products of the drawn rows about their weighted mean, scaled by the roots of their shares.
fn centred_inner(inner: MatRef<'_, f64>, drawn: &[usize], share: &[f64]) -> Mat<f64> {
    let towards: Vec<f64> = drawn
        .iter()
        .map(|&j| {
            let column = inner.col(j);
            drawn.iter().zip(share).map(|(&i, s)| s * column[i]).sum()
        })
        .collect();
    let centre: f64 = towards.iter().zip(share).map(|(t, s)| t * s).sum();
    let roots: Vec<f64> = share.iter().map(|s| s.sqrt()).collect();
    Mat::from_fn(drawn.len(), drawn.len(), |i, j| {
        (inner[(drawn[i], drawn[j])] - towards[i] - towards[j] + centre) * roots[i] * roots[j]
    })
}

/// Mean of the columns `drawn`, each with its share.
fn weighted_mean(columns: MatRef<'_, f64>, drawn: &[usize], share: &[f64]) -> Vec<f64> {
    let mut mean = vec![0.0; columns.nrows()];
    for (&i, s) in drawn.iter().zip(share) {
        for (m, v) in mean.iter_mut().zip(columns.col(i).iter()) {
            *m += s * v;
        }
    }
    mean
}

fn trace(moments: &Moments) -> f64 {
    let d = moments.dim();
    (0..d).map(|i| moments.cov[i * (d + 1)]).sum()
}

fn squared_gap(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// A distance cannot be negative; that of equal sets may round below zero.
fn assemble(gap: f64, trace_a: f64, trace_b: f64, roots: f64) -> f64 {
    (gap + trace_a + trace_b - 2.0 * roots).max(0.0)
}

fn same_dim(a: usize, b: usize) -> Result<()> {
    ensure!(
        a == b,
        "the reference has {a} features and the samples have {b}\nhint: both must come from one feature network"
    );
    Ok(())
}
