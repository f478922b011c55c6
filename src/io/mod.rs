//! Bytes to arrays and back; knows no model and no experiment.

pub mod archive;
pub mod checkpoint;
pub mod disk;
pub mod image;
pub mod net;
pub mod numpy;
pub mod pickle;
pub(crate) mod safetensors;
pub mod statistics;
pub(crate) mod stored;
pub mod tensorflow;
pub mod torch;
