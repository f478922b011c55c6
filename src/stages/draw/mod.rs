//! Noise to images.

pub mod drawer;
pub mod sample;
pub mod upsample;
