//! Bytes to arrays and back; knows no model and no experiment.

pub mod checkpoint;
pub mod disk;
pub mod image;
mod jpeg;
pub mod npy;
pub mod npz;
mod safetensors;
mod stored;
