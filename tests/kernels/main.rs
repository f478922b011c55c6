//! The CPU kernels against candle's plain operations.

#[path = "../support/mod.rs"]
mod support;

mod attention;
mod convolutions;
mod device_code;
mod embeddings;
mod gradients;
mod maps;
