//! A set of images as guided-diffusion's scripts write one: a single npz.

use crate::io::numpy::npz::{self, Array};
use anyhow::{Result, ensure};
use std::io::Write;
use std::path::Path;

/// Writes `arr_0` u8 `[n, h, w, 3]`, whose bytes `fill` writes in row-major order so that they are never held whole, and
/// where there are labels `arr_1` int64 `[n]`. Atomically, uncompressed, with zip64 sizes; these are the names that
/// `np.savez` gives.
///
/// # Errors
/// Where `fill` fails or writes another number of bytes, there are not n labels, or the file cannot be written.
pub fn write(
    path: &Path,
    shape: [usize; 4],
    labels: Option<Vec<i64>>,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let n = shape[0];
    let mut rest = Vec::new();
    if let Some(labels) = labels {
        ensure!(
            labels.len() == n,
            "{n} images and {} labels are no set",
            labels.len()
        );
        rest.push(("arr_1", Array::i64(&[n], labels)));
    }
    npz::write_streamed(path, ("arr_0", &shape), fill, &rest)
}
