//! The tables of how images are drawn: `[sample]`, `[upsample]`, `[guidance]`, and the samplers by name.

pub mod asked;
pub mod guidance;
pub mod rules;
pub mod samplers;
pub mod sampling;
pub mod steps;
