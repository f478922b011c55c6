//! Attention on the CPU, with gradients.

pub(crate) mod loops;
pub mod scaled_dot;
