//! From sums of 32 channels a pixel back to NCHW planes, bias added on the way.

use crate::kernels::simd::tile::COLS;
use crate::kernels::simd::transpose::{Block, transpose};
use crate::machine::isa::Isa;
use crate::machine::scratch::Ptr;
use std::ops::Range;

/// Where results go: `[n, channels, plane]`.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    pub isa: Isa,
    pub data: Ptr,
    pub channels: usize,
    pub plane: usize,
    pub bias: Option<&'a [f32]>,
}

impl Output<'_> {
    /// Whether panel `p` of 32 channels has more than its first half.
    pub fn full(&self, p: usize) -> bool {
        self.channels - p * COLS > 16
    }

    /// Stores the sums of these pixels of panel `p` in the planes of image `image`.
    ///
    /// # Safety
    /// `sums` holds 32 floats a pixel, and the pixels lie within the plane and belong to this task.
    pub unsafe fn store(&self, image: usize, p: usize, pixels: Range<usize>, sums: *const f32) {
        for half in 0..1 + usize::from(self.full(p)) {
            let c = p * COLS + half * 16;
            for q in (0..pixels.len()).step_by(16) {
                // SAFETY: channels `c..c + cols` and pixels `q..q + rows` exist on both sides.
                unsafe {
                    let block = Block {
                        src: sums.add(q * COLS + half * 16),
                        src_step: COLS,
                        rows: (pixels.len() - q).min(16),
                        cols: (self.channels - c).min(16),
                        dst: self
                            .data
                            .at((image * self.channels + c) * self.plane + pixels.start + q),
                        dst_step: self.plane,
                        full: false,
                        bias: self.bias.map_or(std::ptr::null(), |b| b[c..].as_ptr()),
                    };
                    transpose(self.isa, &block);
                }
            }
        }
    }
}
