//! Numbers in, scores out: f32 rows and f64 slices, no tensor, no file, no device.

pub mod agreement;
pub mod frechet;
pub mod inception_score;
pub mod intervals;
pub mod k_means;
pub mod kernel;
pub mod neighbours;
pub mod rows;
pub mod score;
