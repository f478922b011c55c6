//! What the user asks for: the experiment file, its presets and guided-diffusion's flags.

#[path = "../support/mod.rs"]
mod support;

mod file;
mod import;
mod presets;
mod sampling;
