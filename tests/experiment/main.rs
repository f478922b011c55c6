//! What the user asks for: the experiment file, its presets and guided-diffusion's flags.

#[path = "../support/mod.rs"]
mod support;

mod case;
mod defaults;
mod drawing;
mod feature_spaces;
mod file;
mod fill;
mod import;
mod launchers;
mod presets;
mod schema;
mod set;
mod slurm;
mod studies;
mod training;
