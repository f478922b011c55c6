//! The Fréchet distance: moments, the distance, its interval and its bias.

pub mod distance;
pub mod extrapolate;
pub(crate) mod left_out;
pub mod linalg;
pub mod moments;
mod resolvent;
pub mod roots;
mod tridiagonal;
