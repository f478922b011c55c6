//! Schedules, posteriors and steps; knows closures, no net.

pub mod guidance;
pub mod likelihood;
pub mod process;
pub mod random;
pub mod samplers;
pub mod training;
