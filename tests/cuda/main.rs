//! The GPU against the CPU and the reference programs. Needs a CUDA device:
//! `cargo test --release --features cuda --test cuda`.

#[path = "../support/mod.rs"]
mod support;

mod channels_last;
mod gpu;
mod nets;
mod operations;
