//! Group normalisation with scale, shift and SiLU on the CPU, with gradients.

pub mod group_norm;
pub(crate) mod loops;
