//! Pictures in an npz batch (`arr_0` [n, h, w, 3] bytes, `arr_1` [n] labels), read row by row where they lie unpacked.

use crate::io::image::Rgb8;
use crate::io::npz::Npz;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

enum Pixels {
    Memory(Vec<u8>),
    /// The file and the offset of the first byte.
    File(File, u64),
}

/// An open batch.
pub(super) struct Batch {
    path: PathBuf,
    n: usize,
    h: usize,
    w: usize,
    pixels: Pixels,
    labels: Option<Vec<u32>>,
}

impl Batch {
    pub fn open(path: &Path) -> Result<Batch> {
        let mut npz = Npz::open(path)?;
        let header = npz.header("arr_0")?;
        let [n, h, w, 3] = header.shape[..] else {
            anyhow::bail!(
                "`arr_0` is {:?}, pictures are [n, height, width, 3]",
                header.shape
            );
        };
        ensure!(
            header.dtype() == "uint8",
            "`arr_0` holds {}, pictures are uint8",
            header.dtype()
        );
        ensure!(n > 0 && h > 0 && w > 0, "`arr_0` is empty");
        let pixels = match npz.place("arr_0")? {
            Some(offset) => Pixels::File(File::open(path)?, offset),
            None => Pixels::Memory(npz.u8("arr_0")?.data),
        };
        let labels = match npz.has("arr_1") {
            true => Some(labels(npz.i64("arr_1")?.data, n)?),
            false => None,
        };
        Ok(Batch {
            path: path.to_path_buf(),
            n,
            h,
            w,
            pixels,
            labels,
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
        let most = self.labels.iter().flatten().max();
        most.map_or(Vec::new(), |&most| {
            (0..=most).map(|k| k.to_string()).collect()
        })
    }

    pub fn read(&self, i: usize) -> Result<Rgb8> {
        let size = self.h * self.w * 3;
        let data = match &self.pixels {
            Pixels::Memory(all) => all[i * size..(i + 1) * size].to_vec(),
            Pixels::File(file, offset) => {
                let mut bytes = vec![0; size];
                file.read_exact_at(&mut bytes, offset + (i * size) as u64)
                    .with_context(|| format!("reading picture {i} of {}", self.path.display()))?;
                bytes
            }
        };
        Ok(Rgb8 {
            w: self.w,
            h: self.h,
            data,
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
