//! Noise to images.

pub mod degraded;
pub mod drawer;
mod guides;
pub mod sample;
pub mod upsample;
