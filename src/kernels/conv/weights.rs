//! Convolution weights as the forward pass reads them, and as the gradient of the input does: turned around.

use super::layout::Spec;
use crate::kernels::simd::transpose::transpose_all;
use crate::machine::isa::Isa;
use crate::machine::scratch::Line;

/// Weights `[cout, cin, kh, kw]` seen through strides.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    data: &'a [f32],
    /// floats from one output channel to the next, and from one input channel to the next
    out_step: usize,
    in_step: usize,
    /// taps run backwards
    turned: bool,
}

impl<'a> Weights<'a> {
    /// The weights of convolution `spec`.
    pub fn plain(data: &'a [f32], spec: &Spec) -> Weights<'a> {
        Weights {
            data,
            out_step: spec.cin * spec.taps(),
            in_step: spec.taps(),
            turned: false,
        }
    }

    /// The same weights for the convolution that takes the output's gradient to the input's: channels exchanged,
    /// taps turned around.
    pub fn turned(data: &'a [f32], spec: &Spec) -> Weights<'a> {
        Weights {
            data,
            out_step: spec.taps(),
            in_step: spec.cin * spec.taps(),
            turned: true,
        }
    }

    /// Lines `[input channel][tap]` of output channels `o..o + n` (n at most 16, zeros after them), as many as `lines`.
    pub fn lines(&self, isa: Isa, o: usize, n: usize, taps: usize, lines: &mut [Line]) {
        let channels = lines.len() / taps;
        let last = (o + n - 1) * self.out_step + (channels - 1) * self.in_step + taps;
        assert!(last <= self.data.len());
        let src = self.data[o * self.out_step..].as_ptr();
        let dst = lines.as_mut_ptr() as *mut f32;
        // Taps of neighbouring channels are neighbours when plain: one matrix.
        let (blocks, cols) = if self.in_step == taps {
            (1, channels * taps)
        } else {
            (channels, taps)
        };
        for i in 0..blocks {
            // SAFETY: the range was checked above, and lines are written for `cols` columns only.
            unsafe {
                let src = (src.add(i * self.in_step), self.out_step);
                transpose_all(isa, src, (n, cols), (dst.add(i * taps * 16), 16), true);
            }
        }
        if self.turned {
            lines.chunks_exact_mut(taps).for_each(<[Line]>::reverse);
        }
    }

    /// The matrix `[cin][cout]` of a convolution of one tap: the weights as they lie, or transposed into `buffer`.
    ///
    /// # Safety
    /// `buffer` has room for it.
    pub unsafe fn matrix(&self, isa: Isa, spec: &Spec, buffer: *mut f32) -> *const f32 {
        assert_eq!(self.data.len(), spec.cin * spec.cout);
        let src = self.data.as_ptr();
        if self.out_step == 1 {
            return src;
        }
        // SAFETY: both sides hold cout x cin floats.
        unsafe {
            let (sizes, dst) = ((spec.cout, spec.cin), (buffer, spec.cout));
            transpose_all(isa, (src, spec.cin), sizes, dst, false);
        }
        buffer
    }
}
