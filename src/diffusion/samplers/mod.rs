//! From noise to images: one file a sampler, and guidance.

pub mod ddim;
pub mod ddpm;
pub mod guidance;
pub mod sampler;
