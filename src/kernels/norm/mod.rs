//! Group normalisation with scale, shift and SiLU, with gradients; the loops are the CPU's.

pub(crate) mod affine;
pub mod group_norm;
pub(crate) mod loops;
