//! CPU kernels as candle custom operations with gradients; candle's plain composition is their test oracle.

pub mod alloc;
pub mod attention;
mod attention_loops;
pub mod conv;
#[cfg(feature = "cuda")]
pub mod cuda;
mod exp;
mod flush;
pub mod isa;
mod lanes;
pub mod linear;
pub mod maps;
mod matrix;
pub mod norm;
mod norm_loops;
pub mod resample;
mod scratch;
pub mod tf32;
mod tile;
mod transpose;
mod view;
