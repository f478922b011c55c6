//! The Gaussian process: schedules, the steps that are kept, levels between them, and its posterior.

pub mod at;
pub mod clamp;
pub mod continuous;
pub mod edm;
pub mod level;
pub mod posterior;
pub mod respace;
pub mod schedule;
pub mod timesteps;
