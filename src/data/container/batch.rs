//! Pictures in an npz batch (`arr_0` [n, h, w, 3] bytes, `arr_1` [n] labels), read row by row.

use crate::data::container::stack::no_pictures;
use crate::data::labels::classes;
use crate::io::image::file::Rgb8;
use crate::io::numpy::npz::Npz;
use crate::io::numpy::rows::Rows;
use anyhow::{Result, bail, ensure};
use std::path::Path;

/// An open batch.
pub(crate) struct Batch {
    n: usize,
    h: usize,
    w: usize,
    rows: Rows,
    labels: Option<Vec<u32>>,
}

impl Batch {
    /// Opens `arr_0` and, where it is there, `arr_1` of an npz archive.
    pub fn npz(path: &Path) -> Result<Batch> {
        let mut batch = Batch::of(Rows::npz(path, "arr_0")?)?;
        let mut npz = Npz::open(path)?;
        if npz.has("arr_1") {
            batch.labels = Some(labels(npz.i64("arr_1")?.data, batch.n)?);
        }
        Ok(batch)
    }

    fn of(rows: Rows) -> Result<Batch> {
        let shape = rows.shape();
        let [n, h, w, 3] = shape[..] else {
            bail!(no_pictures("`arr_0`", shape));
        };
        ensure!(n > 0 && h > 0 && w > 0, no_pictures("`arr_0`", shape));
        Ok(Batch {
            n,
            h,
            w,
            rows,
            labels: None,
        })
    }

    pub fn len(&self) -> usize {
        self.n
    }

    pub fn label(&self, i: usize) -> Option<u32> {
        self.labels.as_ref().map(|labels| labels[i])
    }

    /// The labels' own numbers as names, up to the largest.
    pub fn classes(&self) -> Vec<String> {
        classes::numbered(self.labels.as_deref().unwrap_or_default())
    }

    pub fn read(&self, i: usize) -> Result<Rgb8> {
        Ok(Rgb8 {
            w: self.w,
            h: self.h,
            data: self.rows.read(i)?,
        })
    }
}

/// More classes than any data set has; a larger label is a mistake.
const MOST_CLASSES: i64 = 1 << 20;

fn labels(values: Vec<i64>, n: usize) -> Result<Vec<u32>> {
    ensure!(
        values.len() == n,
        "`arr_1` has {} labels for {n} pictures",
        values.len()
    );
    let label = |v: i64| {
        ensure!(
            (0..MOST_CLASSES).contains(&v),
            "`arr_1` holds {v}, labels are 0 and up"
        );
        Ok(v as u32)
    };
    values.into_iter().map(label).collect()
}
