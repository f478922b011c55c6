//! Nets and diffusion against the reference programs.

#[path = "../support/mod.rs"]
mod support;

mod averages;
mod denoiser;
mod diffusion;
mod gradients;
mod inception;
mod inception_files;
mod multiplications;
mod optimizer;
mod options;
mod precision;
mod references;
mod released;
mod rule;
