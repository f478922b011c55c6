//! `runner likelihood` and `runner reconstruct`.

pub(crate) mod args;
pub mod likelihood;
pub mod reconstruct;
