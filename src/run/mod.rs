//! Which job, where, in what order, and what is kept of it. Knows jobs and no stage: what makes a
//! result is handed in. Never prints.

pub mod damage;
pub mod device;
pub mod differences;
mod evaluations;
pub mod fault;
pub mod lease;
pub mod local;
pub(crate) mod lock;
pub mod manifest;
pub mod plan;
pub mod results;
pub mod simulate;
pub mod store;
pub mod verify;
pub mod why;
pub mod work;
pub mod worker;
