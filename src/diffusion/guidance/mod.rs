//! Rules that steer a sampler toward what is asked for: one file a rule, and what every rule may change.

pub mod blur;
pub mod classifier;
pub mod combined;
pub mod finite;
pub mod interval;
pub mod rule;
pub mod self_attention;
pub mod strength;
