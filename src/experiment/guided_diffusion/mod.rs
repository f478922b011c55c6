//! guided-diffusion's command lines, read into experiment files.

pub(crate) mod command_line;
pub mod flags;
pub mod import;
pub(crate) mod import_flags;
pub(crate) mod import_upsample;
