//! What a file may say: ranges, combinations, and the name that was probably meant.

pub(crate) mod nets;
pub mod ranges;
pub mod slurm;
pub(crate) mod typo;
pub mod values;
