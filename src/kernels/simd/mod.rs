//! Vectors of the instruction set at hand, and the loops that several kernels share.

pub(crate) mod exp;
pub(crate) mod lanes;
pub(crate) mod tile;
pub(crate) mod transpose;
