//! Numbers in, scores out: f32 rows and f64 slices, no tensor, no file, no device.

pub mod adm_manifold;
pub mod agreement;
mod distances;
pub mod draws;
pub mod extrapolate;
pub mod frechet;
pub mod inception_score;
pub mod jackknife;
pub mod kernel;
pub mod kernel_interval;
mod left_out;
pub mod linalg;
pub mod manifold;
mod mersenne;
pub mod moments;
pub mod paired;
pub mod resample;
pub mod rows;
pub mod score;
mod screen;
