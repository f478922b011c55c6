//! How images are drawn: samplers and guidance.

mod averages;
mod distill;
mod guidance;
mod sampling;
