//! Numbers in, scores out: f64 slices, no tensor, no file, no device.

pub mod agreement;
pub mod bootstrap;
pub mod distances;
pub mod frechet;
pub mod inception_score;
pub mod kernel;
pub mod linalg;
pub mod manifold;
mod mersenne;
pub mod moments;
pub mod score;
