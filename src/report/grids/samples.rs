//! The first images of a stored cell, for the eye.

use crate::io::numpy::rows::Rows;
use crate::run::results::Row;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};

/// 8-bit RGB images [count, height, width, 3].
pub struct Images {
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub pixels: Vec<u8>,
}

impl Images {
    /// The bytes of image `index`, [height, width, 3].
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.height * self.width * 3;
        &self.pixels[index * size..][..size]
    }

    /// Height and width.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }
}

/// The first `count` images of every row that has any.
///
/// # Errors
/// Where a folder of samples cannot be read.
pub fn all<'a>(
    rows: impl Iterator<Item = &'a Row>,
    count: usize,
) -> Result<Vec<(&'a Row, Images)>> {
    let mut images = Vec::new();
    for row in rows {
        if let Some(folder) = &row.samples {
            images.extend(first(folder, count)?.map(|found| (row, found)));
        }
    }
    Ok(images)
}

/// The first `count` images of a sample folder, fewer where a part is missing; none without the first part.
///
/// # Errors
/// Where the folder or a part cannot be read, or parts hold images of different sizes.
pub fn first(folder: &Path, count: usize) -> Result<Option<Images>> {
    let mut all: Option<Images> = None;
    for (start, path) in parts(folder)? {
        let have = all.as_ref().map_or(0, |i| i.count);
        if start > have || have >= count {
            break;
        }
        let rows = Rows::npz(&path, "arr_0")?;
        let [n, height, width, 3] = *rows.shape() else {
            bail!(
                "{}: arr_0 is {:?}, images are [n, height, width, 3]",
                path.display(),
                rows.shape()
            );
        };
        // Parts may overlap; what is had is passed over.
        let (from, to) = (have - start, n.min(count - start));
        if to <= from {
            continue;
        }
        let taken = to - from;
        let pixels = (from..to).map(|row| rows.read(row));
        let pixels = pixels.collect::<Result<Vec<_>>>()?.concat();
        match &mut all {
            None => {
                all = Some(Images {
                    count: taken,
                    height,
                    width,
                    pixels,
                });
            }
            Some(images) => {
                ensure!(
                    (images.height, images.width) == (height, width),
                    "{}: images of another size than the part before",
                    path.display()
                );
                images.count += taken;
                images.pixels.extend(pixels);
            }
        }
    }
    Ok(all.filter(|i| i.count > 0))
}

/// `images-AAAAAA-BBBBBB.npz` by A.
fn parts(folder: &Path) -> Result<Vec<(usize, PathBuf)>> {
    let mut parts = Vec::new();
    let listing =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in listing {
        let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let range = name
            .strip_prefix("images-")
            .and_then(|n| n.strip_suffix(".npz"));
        let start = range.and_then(|r| r.split_once('-')?.0.parse().ok());
        parts.extend(start.map(|s| (s, entry.path())));
    }
    parts.sort();
    Ok(parts)
}
