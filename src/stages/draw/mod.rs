//! Noise to images.

pub mod drawer;
pub mod export;
pub mod sample;
pub mod upsample;
