//! Grids of enlarged images as PNG files: the first images of a cell, a row after another.

use crate::report::grids::enlarged::{COLUMNS, Enlarged, Grid, Margin};
use crate::report::grids::samples::Images;
use crate::run::results::Row;
use anyhow::Result;
use rayon::prelude::*;

pub use crate::report::grids::enlarged::Mosaic;

const ROWS: usize = 6;

/// Images of a cell that the grids show at most.
pub const MOST: usize = COLUMNS * ROWS;

/// A grid for every cell that has samples.
///
/// # Errors
/// Where a PNG cannot be encoded.
pub fn mosaics(images: &[(&Row, Images)]) -> Result<Vec<Mosaic>> {
    let cells = images.par_iter().map(|(row, images)| {
        let enlarged = placed(images, COLUMNS.min(images.count));
        enlarged.mosaic(format!("mosaic-{}", row.cell))
    });
    cells.collect()
}

/// Images in reading order as a PNG, `columns` a row, each enlarged by a whole number without smoothing.
///
/// # Errors
/// Where the PNG cannot be encoded.
pub fn in_rows(images: &Images, columns: usize) -> Result<Vec<u8>> {
    placed(images, columns).png()
}

fn placed(images: &Images, columns: usize) -> Enlarged {
    let columns = columns.max(1);
    let grid = Grid {
        rows: images.count.div_ceil(columns),
        columns,
    };
    let mut enlarged = Enlarged::new(images.size(), grid, Margin::default());
    for i in 0..images.count {
        enlarged.put(images.image(i), i / columns, i % columns);
    }
    enlarged
}
