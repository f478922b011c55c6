//! How images are drawn: samplers and guidance.

mod distill;
mod guidance;
mod sampling;
