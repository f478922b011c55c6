//! What a file may say: ranges, combinations, and the name that was probably meant.

mod averages;
mod distill;
mod guidance;
pub(crate) mod nets;
pub mod ranges;
mod sampling;
pub mod slurm;
pub(crate) mod typo;
pub mod values;
