//! Gradients to weights, and the averages of these.

pub mod adamw;
pub mod averages;
pub mod copies;
pub(crate) mod update;
