//! `runner work`: a worker of a store, and several of them on one machine.

pub mod args;
pub mod children;
pub mod events;
pub mod places;
pub mod run;
