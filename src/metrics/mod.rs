//! Numbers in, scores out: f64 slices, no tensor, no file, no device.

pub mod frechet;
pub mod linalg;
pub mod moments;
pub mod score;
