//! Which job, where, in what order, and what is kept of it. Knows stages as `Job` and `stages::run` only; never prints.

pub mod device;
pub mod differences;
pub mod fault;
pub mod lease;
pub mod local;
pub mod manifest;
pub mod plan;
pub mod results;
pub mod store;
pub mod why;
pub mod worker;
