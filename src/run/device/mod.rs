//! The devices of this machine: by name, as places where jobs run, and given to a job for itself.

pub mod granting;
pub mod named;
pub mod slots;
