//! Matrix products on the CPU.

pub(crate) mod matrix;
pub mod product;
