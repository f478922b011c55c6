//! From noise to images: one file a sampler, with its source and what it keeps between steps.

pub mod ddim;
pub mod ddpm;
pub mod draw;
pub mod guided;
pub mod sampler;
