//! Data to weights.

mod classify;
pub mod clusters;
pub mod distill;
pub mod journal;
mod kept;
pub mod learner;
pub mod microbatch;
pub mod optimizer;
pub mod resume;
pub mod run;
pub mod start_from;
mod step;
