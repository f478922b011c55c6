//! What the user asks for: the experiment file, its presets and guided-diffusion's flags.

#[path = "../support/mod.rs"]
mod support;

mod case;
mod defaults;
mod feature_spaces;
mod file;
mod fill;
mod guidance;
mod import;
mod launchers;
mod presets;
mod sampling;
mod schema;
mod set;
mod slurm;
