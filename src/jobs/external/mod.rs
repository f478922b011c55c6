//! Jobs of other people's programs, and of images that are there already.

pub mod adopted;
pub mod inputs;
pub mod measure;
pub mod program;
pub mod sample;
pub mod train;
