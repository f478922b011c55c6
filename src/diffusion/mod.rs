//! Schedules, posteriors and steps; knows closures, no net.

pub mod at;
pub mod bpd;
pub mod ddim;
pub mod ddpm;
pub mod guidance;
pub mod labels;
pub mod likelihood;
pub mod loss;
pub mod noise;
pub mod posterior;
pub mod respace;
pub mod sampler;
pub mod schedule;
mod stream;
pub mod timesteps;
