//! Data to weights.

mod classify;
pub mod clusters;
pub mod distill;
pub mod journal;
pub mod learner;
pub mod optimizer;
pub mod resume;
pub mod run;
pub mod start_from;
mod step;
