//! Small matrix products whose sums are taken in one order, so that a row's result does not depend on the other rows.

use crate::kernels::simd::tile::{COLS, Finish, ROWS, Run, Tile, Write, kernel, tiles};
use crate::kernels::simd::transpose::transpose_all;
use crate::machine::flush::Flush;
use crate::machine::isa::Isa;
use crate::machine::scratch::{Ptr, with_scratch};
use rayon::prelude::*;

/// Products of fewer multiplications stay on the calling thread.
const SMALL: usize = 1 << 17;

/// A matrix as it lies in memory.
#[derive(Clone, Copy)]
pub enum Matrix<'a> {
    /// row after row
    Rows(&'a [f32]),
    /// its transpose, row after row
    Turned(&'a [f32]),
}

/// `out [m, n] = a [m, k] b [k, n]`, plus `bias [n]` to every row.
pub fn product(
    isa: Isa,
    a: Matrix,
    b: Matrix,
    bias: Option<&[f32]>,
    (m, n, k): (usize, usize, usize),
    out: &mut [f32],
) {
    let (Matrix::Rows(all_a) | Matrix::Turned(all_a)) = a;
    let (Matrix::Rows(all_b) | Matrix::Turned(all_b)) = b;
    assert_eq!((all_a.len(), all_b.len(), out.len()), (m * k, k * n, m * n));
    assert!(bias.is_none_or(|bias| bias.len() == n));
    with_scratch(m * k, |buffer| {
        // The micro-kernel reads `a` with rows side by side.
        let a = match a {
            Matrix::Turned(a) => a.as_ptr(),
            Matrix::Rows(a) => {
                // SAFETY: scratch has room for the transpose.
                unsafe { transpose_all(isa, (a.as_ptr(), k), (m, k), (buffer, m), false) };
                buffer
            }
        };
        let (a, out) = (Ptr::new(a.cast_mut()), Ptr::new(out.as_mut_ptr()));
        let panels = n.div_ceil(COLS);
        // SAFETY: `a` is only read, and panels are different columns of `out`.
        let run = |p: usize| unsafe { panel(isa, a.at(0), b, bias, (m, n, k), p, out) };
        if m * n * k < SMALL {
            (0..panels).for_each(run)
        } else {
            (0..panels).into_par_iter().for_each(run)
        }
    });
}

/// Columns `32 p ..` of the product.
///
/// # Safety
/// The pointers are valid for a product of that size, and the columns belong to this task alone.
unsafe fn panel(
    isa: Isa,
    a: *const f32,
    b: Matrix,
    bias: Option<&[f32]>,
    (m, n, k): (usize, usize, usize),
    p: usize,
    out: Ptr,
) {
    let _flush = Flush::start();
    let first = p * COLS;
    let cols = (n - first).min(COLS);
    let kernel = kernel::<1>(isa);
    let mut start = [0f32; COLS];
    if let Some(bias) = bias {
        start[..cols].copy_from_slice(&bias[first..first + cols]);
    }
    let finish = Finish {
        bias: start.as_ptr(),
        ..Finish::PLAIN
    };
    with_scratch((k + ROWS) * COLS, |w| {
        // SAFETY: scratch has room for the panel and a tile of sums; rows of `out` are disjoint.
        unsafe {
            pack(isa, b, (n, k), first, w);
            let sums = w.add(k * COLS);
            tiles(isa, m, |r, rows| {
                let tile = Tile {
                    rows,
                    full: cols > 16,
                    x: a.add(r),
                    x_step: m,
                    w,
                    w_step: COLS,
                    out: sums,
                    out_step: COLS,
                    write: Write::Replace,
                    finish,
                };
                kernel(&tile, &[Run { offset: 0, n: k }]);
                for u in 0..rows {
                    let row = out.part((r + u) * n + first, cols);
                    std::ptr::copy_nonoverlapping(sums.add(u * COLS), row.as_mut_ptr(), cols);
                }
            });
        }
    });
}

/// Columns `first..first + 32` of `b` as `[k][32]`, zeros past the last.
///
/// # Safety
/// `w` has room for them.
unsafe fn pack(isa: Isa, b: Matrix, (n, k): (usize, usize), first: usize, w: *mut f32) {
    let cols = (n - first).min(COLS);
    // SAFETY: the caller vouches for `w`; `b` has `k` rows of `n`.
    unsafe {
        match b {
            Matrix::Turned(b) => {
                if cols < COLS {
                    std::ptr::write_bytes(w, 0, k * COLS);
                }
                let src = b.as_ptr().add(first * k);
                transpose_all(isa, (src, k), (cols, k), (w, COLS), false);
            }
            Matrix::Rows(b) => {
                for (r, row) in b.chunks_exact(n).enumerate() {
                    let dst = std::slice::from_raw_parts_mut(w.add(r * COLS), COLS);
                    dst[..cols].copy_from_slice(&row[first..first + cols]);
                    dst[cols..].fill(0.0);
                }
            }
        }
    }
}
