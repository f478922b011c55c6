//! How images are drawn: samplers and guidance.

mod averages;
mod guidance;
mod sampling;
