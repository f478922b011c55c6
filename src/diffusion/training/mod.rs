//! What training minimises, and how its weights are averaged.

pub mod distill;
pub mod loss;
pub mod power_ema;
