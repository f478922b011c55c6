//! Other people's programs: started, watched and ended with all their processes, and the devices that each has for itself.
//! Knows no job, no net and no tensor.

pub mod command;
pub mod device_lock;
pub mod environment;
pub mod gpus;
pub mod group;
pub mod orphan;
pub mod output;
