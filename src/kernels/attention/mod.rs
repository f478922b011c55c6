//! Attention on the CPU, with gradients.

pub(crate) mod loops;
pub mod map;
pub mod qkv;
pub mod scaled_dot;
