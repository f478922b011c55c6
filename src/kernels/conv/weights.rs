//! Convolution weights as the forward pass reads them, and as the gradient of the input does: turned around.

use super::layout::Spec;
use crate::kernels::isa::Isa;
use crate::kernels::scratch::{Line, ZERO};
use crate::kernels::transpose::{Block, transpose};

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

    /// One line per tap: output channels `o..o + n` (n at most 16, zeros after them) of input channel `i`.
    pub fn lines(&self, isa: Isa, o: usize, n: usize, i: usize, taps: &mut [Line]) {
        let start = o * self.out_step + i * self.in_step;
        assert!(start + (n - 1) * self.out_step + taps.len() <= self.data.len());
        for t in (0..taps.len()).step_by(16) {
            let mut turned = [ZERO; 16];
            let cols = (taps.len() - t).min(16);
            let block = Block {
                src: self.data[start + t..].as_ptr(),
                src_step: self.out_step,
                rows: n,
                cols,
                dst: turned.as_mut_ptr() as *mut f32,
                dst_step: 16,
                full: true,
                bias: std::ptr::null(),
            };
            // SAFETY: the range was checked above, and the block has at most 16 x 16 floats.
            unsafe { transpose(isa, &block) };
            taps[t..t + cols].copy_from_slice(&turned[..cols]);
        }
        if self.turned {
            taps.reverse();
        }
    }
}
