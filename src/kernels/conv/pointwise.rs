//! Convolution of kernel 1 and stride 1: a matrix product a block of pixels, which needs no repacking of channels.

use super::layout::{Images, Spec};
use super::store::Output;
use super::weights::Weights;
use crate::kernels::simd::tile::{COLS, Finish, ROWS, Run, Tile, Write, kernel, tiles};
use crate::machine::flush::Flush;
use crate::machine::scratch::{Ptr, with_scratch};
use rayon::prelude::*;

/// Panels of 32 pixels that one task takes.
const PANELS: usize = 16;

/// Whether a convolution is one.
pub fn fits(spec: &Spec) -> bool {
    spec.taps() == 1 && spec.stride == 1 && spec.pad_y == 0 && spec.pad_x == 0
}

/// The same pixels as rows of at most 192, for the gradient of the weights: their arrangement does not matter to it.
pub fn fold(x: Images) -> Images {
    let plane = x.h * x.w;
    let w = if plane <= 192 {
        plane
    } else {
        (16..=192)
            .rev()
            .find(|w| plane.is_multiple_of(*w))
            .unwrap_or(plane)
    };
    Images {
        h: plane / w,
        w,
        ..x
    }
}

struct Pass<'a> {
    x: Images<'a>,
    cin: usize,
    /// weights `[cin][cout]`
    w: Ptr,
    out: Output<'a>,
}

/// `x [n, cin, h, w]` to `out [n, cout, h, w]`.
pub fn forward(spec: Spec, x: Images, weights: Weights, out: Output) {
    assert_eq!(x.data.len(), x.n * spec.cin * x.h * x.w);
    with_scratch(spec.cin * spec.cout, |buffer| {
        // SAFETY: scratch has room for the weights, and tasks only read them.
        let w = unsafe { Ptr::new(weights.matrix(out.isa, &spec, buffer).cast_mut()) };
        let blocks = (x.h * x.w).div_ceil(COLS * PANELS);
        let cin = spec.cin;
        let pass = Pass { x, cin, w, out };
        (0..pass.x.n * blocks)
            .into_par_iter()
            .for_each(|task| pass.run(task / blocks, task % blocks));
    });
}

impl Pass<'_> {
    fn run(&self, image: usize, block: usize) {
        let _flush = Flush::start();
        let plane = self.out.plane;
        let start = block * COLS * PANELS;
        let end = plane.min(start + COLS * PANELS);
        with_scratch((self.cin + ROWS) * COLS, |panel| {
            for p in (start..end).step_by(COLS) {
                let cols = (plane - p).min(COLS);
                // SAFETY: scratch holds a panel and a tile of sums; the pixels belong to this task alone.
                unsafe {
                    self.pack(image, p, cols, panel);
                    self.multiply(image, p, cols, panel);
                }
            }
        });
    }

    /// Pixels `p..p + cols` of all channels as `[cin][32]`, zeros after them.
    ///
    /// # Safety
    /// `panel` has room for them.
    unsafe fn pack(&self, image: usize, p: usize, cols: usize, panel: *mut f32) {
        let (plane, first) = (self.out.plane, image * self.cin);
        for c in 0..self.cin {
            let src = &self.x.data[(first + c) * plane + p..][..cols];
            // SAFETY: row `c` of the panel.
            let dst = unsafe { std::slice::from_raw_parts_mut(panel.add(c * COLS), COLS) };
            match cols {
                COLS => dst.copy_from_slice(src),
                _ => {
                    dst[..cols].copy_from_slice(src);
                    dst[cols..].fill(0.0);
                }
            }
        }
    }

    /// # Safety
    /// `panel` was packed, and sums follow it; the pixels belong to this task alone.
    unsafe fn multiply(&self, image: usize, p: usize, cols: usize, panel: *mut f32) {
        let (out, cout) = (&self.out, self.out.channels);
        let kernel = kernel::<1>(out.isa);
        let run = Run {
            offset: 0,
            n: self.cin,
        };
        tiles(out.isa, cout, |c, rows| {
            // SAFETY: rows `c..c + rows` of the weights and of the output exist.
            unsafe {
                let sums = panel.add(self.cin * COLS);
                let tile = Tile {
                    rows,
                    full: cols > 16,
                    x: self.w.at(c),
                    x_step: cout,
                    w: panel,
                    w_step: COLS,
                    out: sums,
                    out_step: COLS,
                    write: Write::Replace,
                    finish: Finish::PLAIN,
                };
                kernel(&tile, &[run]);
                for u in 0..rows {
                    let at = (image * cout + c + u) * out.plane + p;
                    let sums = std::slice::from_raw_parts(sums.add(u * COLS), cols);
                    let bias = out.bias.map_or(0.0, |b| b[c + u]);
                    for (y, sum) in out.data.part(at, cols).iter_mut().zip(sums) {
                        *y = sum + bias;
                    }
                }
            }
        });
    }
}
