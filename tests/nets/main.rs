//! Nets and diffusion against the reference programs.

#[path = "../support/mod.rs"]
mod support;

mod denoiser;
mod diffusion;
mod gradients;
mod inception;
mod inception_files;
mod multiplications;
mod options;
mod precision;
mod references;
mod released;
mod rule;
mod training;
