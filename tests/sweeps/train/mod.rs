//! Trainings, run in this process.

mod averages;
mod clusters;
mod distillation;
mod microbatch;
mod resumed;
