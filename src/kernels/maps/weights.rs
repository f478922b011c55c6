//! What the packed convolutions share: weights and biases in whole blocks of channels and whole panels of outputs, and what
//! follows the bias.

use super::blocked::lanes;
use crate::kernels::conv::layout::Spec;
use crate::kernels::simd::tile::COLS;
use crate::machine::scratch::{Line, ZERO};

/// What follows the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    None,
    /// Negative values become zero.
    Relu,
}

/// Input channels as the weights count them: whole blocks.
pub fn depth(spec: &Spec) -> usize {
    spec.cin.next_multiple_of(lanes(spec.cin))
}

/// Biases of whole panels, zeros after the last.
pub fn pad_bias(bias: &[f32]) -> Vec<Line> {
    let mut lines = vec![ZERO; bias.len().next_multiple_of(COLS) / 16];
    for (i, value) in bias.iter().enumerate() {
        lines[i / 16].0[i % 16] = *value;
    }
    lines
}
