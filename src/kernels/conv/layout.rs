//! Shapes of a convolution, and how a block of input rows lies in scratch: padded, sixteen channels side by side.

use crate::kernels::simd::transpose::{Block, Rest, transpose};
use crate::machine::isa::Isa;
use crate::machine::scratch::{Line, ZERO};
use std::ops::Range;

/// What a convolution is, whatever the images.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec {
    pub cin: usize,
    pub cout: usize,
    pub kh: usize,
    pub kw: usize,
    pub stride: usize,
    pub pad_y: usize,
    pub pad_x: usize,
}

impl Spec {
    /// Output rows and columns for images of `h` x `w`.
    pub fn out(&self, h: usize, w: usize) -> (usize, usize) {
        let rows = (h + 2 * self.pad_y - self.kh) / self.stride + 1;
        let cols = (w + 2 * self.pad_x - self.kw) / self.stride + 1;
        (rows, cols)
    }

    pub fn taps(&self) -> usize {
        self.kh * self.kw
    }
}

/// `n` images of `h` x `w`, planes one after another.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    pub data: &'a [f32],
    pub n: usize,
    pub h: usize,
    pub w: usize,
}

/// Into how many parts of nearly equally many images `n` of them are cut, where a part holds at most `most`: as many as there
/// are threads, or a multiple, so that no thread is left without one while others work on their last.
pub fn parts(n: usize, most: usize, threads: usize) -> usize {
    (n.div_ceil(most.max(1) * threads) * threads).clamp(1, n.max(1))
}

/// The images of part `i` of `parts`.
pub fn part(n: usize, parts: usize, i: usize) -> Range<usize> {
    i * n / parts..(i + 1) * n / parts
}

/// Rows of one image in scratch: `[channel / 16][row][column][16]`, columns grouped by `column % stride`, so that
/// neighbouring output pixels read values sixteen floats apart whatever the stride.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    pub spec: Spec,
    pub h: usize,
    pub w: usize,
    /// output rows and columns (Winograd rounds them up to whole tiles)
    pub oh: usize,
    pub ow: usize,
    /// channel blocks of 16
    pub blocks: usize,
    /// columns of one phase, and of a row
    phase: usize,
    pub row: usize,
}

impl Geometry {
    pub fn new(spec: Spec, h: usize, w: usize) -> Geometry {
        Geometry::of_output(spec, (h, w), spec.out(h, w))
    }

    /// The geometry of an output of any size: what lies outside the image is zero.
    pub fn of_output(spec: Spec, (h, w): (usize, usize), (oh, ow): (usize, usize)) -> Geometry {
        let phase = ((ow - 1) * spec.stride + spec.kw).div_ceil(spec.stride);
        Geometry {
            spec,
            h,
            w,
            oh,
            ow,
            blocks: spec.cin.div_ceil(16),
            phase,
            row: phase * spec.stride,
        }
    }

    /// Input rows behind `n` output rows.
    pub fn rows(&self, n: usize) -> usize {
        (n - 1) * self.spec.stride + self.spec.kh
    }

    /// Floats from one channel block to the next, with `rows` rows in scratch.
    pub fn plane(&self, rows: usize) -> usize {
        rows * self.row * 16
    }

    /// Offset of tap (ky, kx) from the pixel's own position.
    pub fn tap(&self, ky: usize, kx: usize) -> usize {
        let s = self.spec.stride;
        (ky * self.row + (kx % s) * self.phase + kx / s) * 16
    }

    /// Offset of output row `r`, counted from the first of the block.
    pub fn out_row(&self, r: usize) -> usize {
        r * self.spec.stride * self.row * 16
    }

    /// Channels in block `b`.
    pub fn channels(&self, b: usize) -> usize {
        (self.spec.cin - b * 16).min(16)
    }

    fn column(&self, j: usize) -> usize {
        ((j % self.spec.stride) * self.phase + j / self.spec.stride) * 16
    }

    /// Repacks the input rows that output rows `r0..r0 + n` read, of one channel block of one image.
    ///
    /// # Safety
    /// `x` points at the image, `dst` at `plane(rows(n))` floats.
    pub unsafe fn pack(
        &self,
        isa: Isa,
        x: *const f32,
        block: usize,
        r0: usize,
        n: usize,
        dst: *mut f32,
    ) {
        for r in 0..self.rows(n) {
            // SAFETY: the row lies within `dst`, and `src` within the image.
            unsafe {
                let row = dst.add(r * self.row * 16);
                let y = (r0 * self.spec.stride + r).wrapping_sub(self.spec.pad_y);
                if y >= self.h {
                    std::ptr::write_bytes(row, 0, self.row * 16);
                    continue;
                }
                let src = x.add((block * 16 * self.h + y) * self.w);
                self.pack_row(isa, src, self.channels(block), row);
            }
        }
    }

    /// # Safety
    /// `src` points at a row of an image's first plane of the block, `row` at a row in scratch.
    unsafe fn pack_row(&self, isa: Isa, src: *const f32, channels: usize, row: *mut f32) {
        let (pad, stride) = (self.spec.pad_x, self.spec.stride);
        // Columns past the last one that is read are left out.
        let end = self.w.min(self.row.saturating_sub(pad));
        let padding = (0..pad.min(self.row)).chain((pad + self.w).min(self.row)..self.row);
        // SAFETY: every column written is below `self.row`, every one read below `self.w`.
        unsafe {
            for j in padding {
                // One store; `write_bytes` would call the C library for each.
                *(row.add(self.column(j)) as *mut Line) = ZERO;
            }
            for c in (0..end).step_by(16) {
                let m = (end - c).min(16);
                let mut turned = [ZERO; 16];
                let dst = match stride {
                    1 => row.add((c + pad) * 16),
                    _ => turned.as_mut_ptr() as *mut f32,
                };
                let block = Block {
                    src: src.add(c),
                    src_step: self.h * self.w,
                    rows: channels,
                    cols: m,
                    dst,
                    dst_step: 16,
                    rest: Rest::Zeros,
                    bias: std::ptr::null(),
                };
                transpose(isa, &block);
                if stride > 1 {
                    for (i, line) in turned[..m].iter().enumerate() {
                        *(row.add(self.column(c + i + pad)) as *mut Line) = *line;
                    }
                }
            }
        }
    }
}
