//! The other side of the benchmarks: PyTorch in a process of its own.

pub mod torch;
pub mod turns;
