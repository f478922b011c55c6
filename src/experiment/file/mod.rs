//! The tables of an experiment file, typed.

pub mod claim;
pub mod defaults;
pub mod drawing;
pub mod eval;
pub mod experiment;
pub mod model;
pub mod published;
pub mod shown;
pub mod slurm;
pub mod training;
pub mod vars;
