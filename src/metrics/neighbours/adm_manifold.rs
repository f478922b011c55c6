//! Precision and recall as the ADM evaluator prints them, its rounding through f16 included.
//!
//! It takes |u|² - 2·u·v + |v|² with every number in f16, a block of 10,000 by 10,000 images at a
//! time, and takes a block again in f32 where any distance of it is not finite (lengths² above
//! 65,504 are not). Distances of about 200 are then multiples of 1/8, which moves published
//! figures by about 0.001.
//!
//! What TensorFlow leaves to the device (in which order it adds, and how wide) is done here as
//! its GPU kernels do: products of f16 numbers are added in f32 and rounded once.

use crate::metrics::agreement::Share;
use crate::metrics::neighbours::distances::{Tile, tiles};
use crate::metrics::rows::check_rows;
use anyhow::{Result, ensure};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Images of a block's side.
const BLOCK: usize = 10_000;
/// Rows of a tile's side within a block.
const TILE: usize = 500;
/// The neighbour that a hypersphere reaches.
const K: usize = 3;

/// Which images lie in the other set's manifold.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// By generated image, whether the real manifold holds it.
    pub inside: Vec<bool>,
    /// By real image, whether the generated manifold holds it.
    pub covered: Vec<bool>,
}

impl PrecisionRecall {
    /// The share of generated images in the real manifold, with its interval.
    pub fn precision(&self) -> Share {
        Share::of(&self.inside)
    }

    /// The share of real images in the generated manifold.
    pub fn recall(&self) -> Share {
        Share::of(&self.covered)
    }
}

/// Precision and recall of `generated` `[m, d]` against `real` `[n, d]` by the ADM evaluator's
/// rule: k = 3, squared distances, a point at exactly a radius inside. Its published figures are
/// of 10,000 real images (1,000 at 512 pixels) and 50,000 generated ones: only figures of
/// these counts may be set beside them.
pub fn adm_precision_recall(real: &[f32], generated: &[f32], d: usize) -> Result<PrecisionRecall> {
    let (real, generated) = (Rounded::of(real, d)?, Rounded::of(generated, d)?);
    let (real_radii, generated_radii) = (real.radii(), generated.radii());
    let mut covered = vec![false; real.len()];
    let mut inside = vec![false; generated.len()];
    for block in tiles(real.len(), generated.len(), BLOCK) {
        let hits = block_distances(&real, &generated, block, |tile, distances| {
            let (mut rows, mut columns) = (vec![false; tile.count.0], vec![false; tile.count.1]);
            for (i, column) in distances.col_iter().enumerate() {
                for (j, &v) in column.iter().enumerate() {
                    rows[i] |= v <= generated_radii[tile.first.1 + j];
                    columns[j] |= v <= real_radii[tile.first.0 + i];
                }
            }
            (rows, columns)
        });
        for (tile, (rows, columns)) in hits {
            for (to, from) in [
                (&mut covered[tile.first.0..], rows),
                (&mut inside[tile.first.1..], columns),
            ] {
                to.iter_mut().zip(from).for_each(|(t, f)| *t |= f);
            }
        }
    }
    Ok(PrecisionRecall { inside, covered })
}

/// Rows as they are and rounded to f16, with their squared lengths in either.
struct Rounded<'a> {
    d: usize,
    exact: &'a [f32],
    exact_squares: Vec<f32>,
    rounded: Vec<f16>,
    rounded_squares: Vec<f32>,
}

impl<'a> Rounded<'a> {
    fn of(rows: &'a [f32], d: usize) -> Result<Rounded<'a>> {
        check_rows(rows, d)?;
        let n = rows.len() / d;
        ensure!(
            n > K,
            "hyperspheres to the {K}rd neighbour need more than {K} images, found {n}"
        );
        let mut rounded = vec![f16::ZERO; rows.len()];
        rounded
            .par_chunks_mut(d)
            .zip(rows.par_chunks(d))
            .for_each(|(to, from)| to.convert_from_f32_slice(from));
        let square = |row: &[f16]| {
            let sum: f32 = row.iter().map(|v| round(v.to_f32() * v.to_f32())).sum();
            round(sum)
        };
        Ok(Rounded {
            d,
            exact: rows,
            exact_squares: rows
                .par_chunks(d)
                .map(|row| row.iter().map(|v| v * v).sum())
                .collect(),
            rounded_squares: rounded.par_chunks(d).map(square).collect(),
            rounded,
        })
    }

    fn len(&self) -> usize {
        self.exact_squares.len()
    }

    /// The distance of each row to its third-nearest other one: entry 3 of all its distances in
    /// order, its own (0, or what rounding makes of it) among them.
    fn radii(&self) -> Vec<f32> {
        let mut nearest = vec![[f32::INFINITY; K + 1]; self.len()];
        for block in tiles(self.len(), self.len(), BLOCK) {
            let found = block_distances(self, self, block, |_, distances| {
                let mut kept = vec![[f32::INFINITY; K + 1]; distances.ncols()];
                for (kept, column) in kept.iter_mut().zip(distances.col_iter()) {
                    column.iter().for_each(|&v| insert(kept, v));
                }
                kept
            });
            for (tile, kept) in found {
                for (to, from) in nearest[tile.first.0..].iter_mut().zip(kept) {
                    from.into_iter().for_each(|v| insert(to, v));
                }
            }
        }
        nearest.iter().map(|kept| kept[K]).collect()
    }
}

fn insert(kept: &mut [f32; K + 1], value: f32) {
    if value < kept[K] {
        let at = kept.partition_point(|&v| v <= value);
        kept.copy_within(at..K, at + 1);
        kept[at] = value;
    }
}

fn round(v: f32) -> f32 {
    f16::from_f32(v).to_f32()
}

/// What `see` makes of each tile of a block, from distances in f16 or, where any of the block's
/// is not finite, all in f32; column i of a tile's distances belongs to its i-th left row.
fn block_distances<T: Send>(
    left: &Rounded,
    right: &Rounded,
    block: Tile,
    see: impl Fn(Tile, MatRef<'_, f32>) -> T + Sync,
) -> Vec<(Tile, T)> {
    let inner = tiles(block.count.0, block.count.1, TILE)
        .into_iter()
        .map(|t| Tile {
            first: (block.first.0 + t.first.0, block.first.1 + t.first.1),
            count: t.count,
        })
        .collect::<Vec<_>>();
    let all = |width: Width| -> Option<Vec<(Tile, T)>> {
        let one = |&tile: &Tile| {
            let distances = tile_distances(left, right, tile, width)?;
            Some((tile, see(tile, distances.as_ref())))
        };
        inner.par_iter().map(one).collect()
    };
    all(Width::Half)
        .or_else(|| all(Width::Single))
        .unwrap_or_default()
}

/// In which numbers distances are taken.
#[derive(Clone, Copy, PartialEq)]
enum Width {
    /// f16
    Half,
    /// f32
    Single,
}

/// Squared distances; none where they are of f16 and not all finite.
fn tile_distances(left: &Rounded, right: &Rounded, tile: Tile, width: Width) -> Option<Mat<f32>> {
    let d = left.d;
    let values = |side: &Rounded, first: usize, count: usize| -> Vec<f32> {
        let range = first * d..(first + count) * d;
        match width {
            Width::Half => side.rounded[range].to_f32_vec(),
            Width::Single => side.exact[range].to_vec(),
        }
    };
    let a = values(left, tile.first.0, tile.count.0);
    let b = values(right, tile.first.1, tile.count.1);
    let mut out = Mat::<f32>::zeros(tile.count.1, tile.count.0);
    matmul(
        out.as_mut(),
        Accum::Replace,
        MatRef::from_column_major_slice(&b, d, tile.count.1).transpose(),
        MatRef::from_column_major_slice(&a, d, tile.count.0),
        1.0,
        Par::Seq,
    );
    let (left, right) = match width {
        Width::Half => (&left.rounded_squares, &right.rounded_squares),
        Width::Single => (&left.exact_squares, &right.exact_squares),
    };
    let mut halves = vec![f16::ZERO; tile.count.1];
    let mut finite = true;
    for (i, column) in out.as_mut().col_iter_mut().enumerate() {
        let norm = left[tile.first.0 + i];
        let others = &right[tile.first.1..tile.first.1 + tile.count.1];
        let column = column.try_as_col_major_mut()?.as_slice_mut();
        if width == Width::Half {
            // Four roundings: of the product, of its double, and of either sum.
            let through = |column: &mut [f32], halves: &mut [f16]| {
                halves.convert_from_f32_slice(column);
                halves.convert_to_f32_slice(column);
            };
            through(column, &mut halves);
            column.iter_mut().for_each(|v| *v *= 2.0);
            through(column, &mut halves);
            column.iter_mut().for_each(|v| *v = norm - *v);
            through(column, &mut halves);
            column.iter_mut().zip(others).for_each(|(v, o)| *v += o);
            through(column, &mut halves);
        } else {
            let last = column.iter_mut().zip(others);
            last.for_each(|(v, o)| *v = norm - 2.0 * *v + o);
        }
        finite &= column.iter().all(|v| v.is_finite());
        column.iter_mut().for_each(|v| *v = v.max(0.0));
    }
    (finite || width == Width::Single).then_some(out)
}
