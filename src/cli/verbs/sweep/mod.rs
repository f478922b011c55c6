//! `runner sweep`.

pub mod run;
pub mod slurm;
