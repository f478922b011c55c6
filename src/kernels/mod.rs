//! CPU kernels as candle custom operations with gradients; candle's plain composition is their test oracle.

pub mod conv;
mod exp;
mod flush;
pub mod isa;
pub mod norm;
mod norm_loops;
mod scratch;
mod tile;
mod transpose;
mod view;
