//! How images are drawn: samplers and guidance.

mod guidance;
mod sampling;
