//! The other side of the benchmarks: PyTorch in a process of its own.
#![allow(dead_code)] // every benchmark uses its own part

pub mod torch;
pub mod turns;
