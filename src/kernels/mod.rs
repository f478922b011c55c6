//! CPU kernels as candle custom operations with gradients; candle's plain composition is their test oracle.

pub mod attention;
pub mod conv;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod linear;
pub mod maps;
pub mod norm;
pub mod resample;
pub mod simd;
pub mod tf32;
pub(crate) mod view;
