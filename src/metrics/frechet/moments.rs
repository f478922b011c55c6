//! Mean and covariance of feature rows in f64, gathered in parts that merge exactly.

use crate::metrics::frechet::linalg::add_gram;
use crate::metrics::rows::{BLOCK, Rows, Slice, blocks, check_rows};
use anyhow::{Result, bail, ensure};
use faer::{Mat, MatRef};

/// Mean `[d]` and covariance `[d, d]` (row-major, divided by n - 1) of `n` feature rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub n: usize,
    pub mean: Vec<f64>,
    pub cov: Vec<f64>,
}

impl Moments {
    /// Moments of `rows` `[n, d]`, n >= 2, bit-identical for any number of threads.
    pub fn of(rows: &[f32], d: usize) -> Result<Moments> {
        Moments::of_rows(&mut Slice::of(rows, d)?)
    }

    /// As [`Moments::of`], the same bits, of rows read in blocks.
    pub fn of_rows(rows: &mut dyn Rows) -> Result<Moments> {
        Part::of_rows(rows)?.finish()
    }

    /// Moments read from elsewhere, such as a reference file: `cov` must be `[d, d]` and all finite.
    pub fn given(n: usize, mean: Vec<f64>, cov: Vec<f64>) -> Result<Moments> {
        let d = mean.len();
        ensure!(
            d > 0 && cov.len() == d * d,
            "a mean of {d} values needs a covariance of {d}x{d}, found {} values",
            cov.len()
        );
        ensure!(
            mean.iter().chain(&cov).all(|v| v.is_finite()),
            "the moments hold values that are not finite"
        );
        Ok(Moments { n, mean, cov })
    }

    /// Features of a row.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The covariance as a matrix (symmetric, so row-major and column-major agree).
    pub fn matrix(&self) -> MatRef<'_, f64> {
        let d = self.dim();
        MatRef::from_column_major_slice(&self.cov, d, d)
    }

    /// The sum of the variances.
    pub fn trace(&self) -> f64 {
        let d = self.dim();
        (0..d).map(|i| self.cov[i * (d + 1)]).sum()
    }
}

/// The count, mean and scatter (sum of outer products about the mean) of some rows.
///
/// Parts of one set merge to what the whole set gives, up to rounding; the scatter about the
/// mean is kept instead of the raw second moment, because subtracting n·mean·meanᵀ at the end
/// loses digits where the mean is large against the spread. The same parts merged in the same
/// order give the same bits on any machine of one kind.
#[derive(Clone, Debug)]
pub struct Part {
    n: usize,
    mean: Vec<f64>,
    /// `[d, d]`, lower triangle.
    scatter: Mat<f64>,
}

impl Part {
    /// The part of no rows.
    pub fn empty(d: usize) -> Part {
        Part {
            n: 0,
            mean: vec![0.0; d],
            scatter: Mat::zeros(d, d),
        }
    }

    /// The part of `rows` `[n, d]`.
    pub fn of(rows: &[f32], d: usize) -> Result<Part> {
        Part::of_rows(&mut Slice::of(rows, d)?)
    }

    /// The part of rows read in blocks.
    pub fn of_rows(rows: &mut dyn Rows) -> Result<Part> {
        let mut part = Part::empty(rows.dim());
        blocks(rows, |_, block| {
            part.push_block(block);
            Ok(())
        })?;
        Ok(part)
    }

    /// The part that [`Part::packed`] described: `n` rows, their mean `[d]` and the lower triangle
    /// of their scatter, row by row, d·(d + 1) / 2 finite values.
    pub fn from_packed(n: usize, mean: Vec<f64>, scatter: &[f64]) -> Result<Part> {
        let d = mean.len();
        ensure!(
            d > 0 && scatter.len() == d * (d + 1) / 2,
            "a mean of {d} values needs a packed scatter of {}, found {}",
            d * (d + 1) / 2,
            scatter.len()
        );
        ensure!(
            mean.iter().chain(scatter).all(|v| v.is_finite()),
            "the moments hold values that are not finite"
        );
        let at = |i: usize, j: usize| {
            if j <= i {
                scatter[i * (i + 1) / 2 + j]
            } else {
                0.0
            }
        };
        Ok(Part {
            n,
            mean,
            scatter: Mat::from_fn(d, d, at),
        })
    }

    /// Rows taken in.
    pub fn count(&self) -> usize {
        self.n
    }

    /// The rows' mean `[d]`; zeros where there are none.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The lower triangle of the scatter, row by row: what [`Part::from_packed`] takes, bit by bit.
    pub fn packed(&self) -> Vec<f64> {
        let d = self.mean.len();
        (0..d)
            .flat_map(|i| (0..=i).map(move |j| (i, j)))
            .map(|at| self.scatter[at])
            .collect()
    }

    /// Takes in more rows, `[n, d]`.
    pub fn add(&mut self, rows: &[f32]) -> Result<()> {
        let d = self.mean.len();
        check_rows(rows, d)?;
        rows.chunks(BLOCK * d)
            .for_each(|block| self.push_block(block));
        Ok(())
    }

    fn push_block(&mut self, rows: &[f32]) {
        let d = self.mean.len();
        let n = rows.len() / d;
        let mut mean = vec![0.0; d];
        for row in rows.chunks_exact(d) {
            for (m, &v) in mean.iter_mut().zip(row) {
                *m += f64::from(v);
            }
        }
        for m in &mut mean {
            *m /= n as f64;
        }
        let centred = Mat::from_fn(d, n, |j, i| f64::from(rows[i * d + j]) - mean[j]);
        add_gram(self.scatter.as_mut(), centred.as_ref());
        self.shift(n, &mean);
    }

    /// Takes `other`'s rows in; both must have rows of one length.
    pub fn merge(&mut self, other: &Part) -> Result<()> {
        let (ours, theirs) = (self.mean.len(), other.mean.len());
        ensure!(
            ours == theirs,
            "rows of {theirs} features cannot be added to rows of {ours}"
        );
        if other.n > 0 {
            self.scatter += &other.scatter;
            self.shift(other.n, &other.mean);
        }
        Ok(())
    }

    /// Moves the mean to take in `n` rows of mean `mean` whose own scatter is added already.
    fn shift(&mut self, n: usize, mean: &[f64]) {
        let d = self.mean.len();
        let (a, b) = (self.n as f64, n as f64);
        let gap: Vec<f64> = mean.iter().zip(&self.mean).map(|(m, s)| m - s).collect();
        if self.n > 0 {
            let weight = a * b / (a + b);
            for j in 0..d {
                let g = gap[j] * weight;
                let below = self.scatter.as_mut().col_mut(j).subrows_mut(j, d - j);
                for (v, gap) in below.iter_mut().zip(&gap[j..]) {
                    *v += gap * g;
                }
            }
        }
        for (s, g) in self.mean.iter_mut().zip(&gap) {
            *s += g * (b / (a + b));
        }
        self.n += n;
    }

    /// Mean and covariance of all rows taken in; at least two are needed.
    pub fn finish(&self) -> Result<Moments> {
        if self.n < 2 {
            bail!("a covariance needs at least 2 rows, found {}", self.n);
        }
        let d = self.mean.len();
        let scale = 1.0 / (self.n - 1) as f64;
        let mut cov = vec![0.0; d * d];
        for j in 0..d {
            for i in j..d {
                let v = self.scatter[(i, j)] * scale;
                cov[i * d + j] = v;
                cov[j * d + i] = v;
            }
        }
        Ok(Moments {
            n: self.n,
            mean: self.mean.clone(),
            cov,
        })
    }
}
