//! What people type and see; the only room that prints or exits, and one of two that read the environment.

pub mod args;
pub(crate) mod cache;
pub mod open;
pub mod profile;
pub mod screen;
pub(crate) mod shipped;
pub mod verbs;
pub(crate) mod watched;
