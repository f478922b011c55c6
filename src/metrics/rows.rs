//! Feature rows that need not all be in memory: a number of rows, and a way to read some of them.

use anyhow::{Result, bail, ensure};
use std::borrow::Cow;
use std::ops::Range;

/// Rows that are read at once: 16 MiB of 2,048 features in f64.
pub const BLOCK: usize = 1024;

/// Feature rows `[n, d]` in f32, read a block at a time.
pub trait Rows {
    /// Number of rows.
    fn count(&self) -> usize;
    /// Features of a row.
    fn dim(&self) -> usize;
    /// Rows `range`, row-major: `range.len()·d` values.
    fn read(&mut self, range: Range<usize>) -> Result<Cow<'_, [f32]>>;
}

/// Rows in memory.
pub struct Slice<'a> {
    rows: &'a [f32],
    d: usize,
}

impl<'a> Slice<'a> {
    /// `rows` `[n, d]`; they must be a whole number of rows.
    pub fn of(rows: &'a [f32], d: usize) -> Result<Slice<'a>> {
        check_shape(rows, d)?;
        Ok(Slice { rows, d })
    }
}

impl Rows for Slice<'_> {
    fn count(&self) -> usize {
        self.rows.len() / self.d
    }

    fn dim(&self) -> usize {
        self.d
    }

    fn read(&mut self, range: Range<usize>) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Borrowed(
            &self.rows[range.start * self.d..range.end * self.d],
        ))
    }
}

/// Rows that `read` fetches, from files for instance. It is asked for ranges within `0..n` and
/// must answer the same values whenever it is asked.
pub struct Fetched<F> {
    pub n: usize,
    pub d: usize,
    pub read: F,
}

impl<F: FnMut(Range<usize>) -> Result<Vec<f32>>> Rows for Fetched<F> {
    fn count(&self) -> usize {
        self.n
    }

    fn dim(&self) -> usize {
        self.d
    }

    fn read(&mut self, range: Range<usize>) -> Result<Cow<'_, [f32]>> {
        let (count, rows) = (range.len(), (self.read)(range)?);
        ensure!(
            rows.len() == count * self.d,
            "{} values were read for {count} rows of {} features",
            rows.len(),
            self.d
        );
        Ok(Cow::Owned(rows))
    }
}

/// Gives `each` the rows in blocks of [`BLOCK`], in order, with the index of a block's first row.
/// A row with a NaN or an infinity is refused.
pub fn blocks(
    rows: &mut dyn Rows,
    mut each: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let (n, d) = (rows.count(), rows.dim());
    for first in (0..n).step_by(BLOCK) {
        let block = rows.read(first..n.min(first + BLOCK))?;
        check_finite(&block, d, first)?;
        each(first, &block)?;
    }
    Ok(())
}

/// Refuses rows that are not `[n, d]` or hold NaN or infinities.
pub(crate) fn check_rows(rows: &[f32], d: usize) -> Result<()> {
    check_shape(rows, d)?;
    check_finite(rows, d, 0)
}

fn check_shape(rows: &[f32], d: usize) -> Result<()> {
    ensure!(
        d > 0 && rows.len().is_multiple_of(d),
        "{} values are no whole number of rows of {d} features",
        rows.len()
    );
    Ok(())
}

fn check_finite(rows: &[f32], d: usize, first: usize) -> Result<()> {
    if let Some(at) = rows.iter().position(|v| !v.is_finite()) {
        bail!(
            "feature {} of row {} is {}, not a finite number\nhint: a network that diverged gives such features",
            at % d,
            first + at / d,
            rows[at]
        );
    }
    Ok(())
}
