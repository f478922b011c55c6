//! What people type and see; the only room that prints, reads the environment or exits.

pub mod args;
pub(crate) mod cache;
pub mod open;
pub mod screen;
pub mod verbs;
pub(crate) mod watched;
