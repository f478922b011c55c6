//! Data to weights.

pub mod averages;
pub mod clusters;
pub mod journal;
pub mod learner;
pub mod optim;
pub mod resume;
pub mod run;
pub mod start_from;
pub(crate) mod update;
