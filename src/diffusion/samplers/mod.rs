//! From noise to images: one file a sampler, with its source and what it keeps between steps.

pub mod ddim;
pub mod ddpm;
pub mod dpm_solver;
pub mod draw;
pub mod edm;
pub mod guided;
pub mod method;
pub mod sampler;
pub mod uni_pc;
