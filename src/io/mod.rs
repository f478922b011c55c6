//! Bytes to arrays and back; knows no model and no experiment.

pub mod checkpoint;
pub mod disk;
mod safetensors;
mod stored;
