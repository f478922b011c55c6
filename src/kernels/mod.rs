//! The operations that nets spend their time in, for the CPU and, in `cuda`, for NVIDIA GPUs: candle's custom operations with
//! gradients, and maps of nets that only run forwards. Tests compare them with candle's plain operations.

pub mod attention;
pub mod conv;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod device_code;
pub mod embedding;
pub mod gradients;
pub mod linear;
pub mod maps;
pub mod norm;
pub mod pairs;
pub mod resample;
pub mod simd;
pub mod tf32;
pub(crate) mod view;
