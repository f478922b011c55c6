//! The tables of an experiment file, typed.

pub mod experiment;
pub mod finding;
pub mod published;
pub mod sampling;
