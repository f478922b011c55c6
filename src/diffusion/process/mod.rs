//! The Gaussian process: schedules, the steps that are kept, and its posterior.

pub mod at;
pub mod posterior;
pub mod respace;
pub mod schedule;
pub mod timesteps;
