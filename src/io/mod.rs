//! Bytes to arrays and back; knows no model and no experiment.

pub mod checkpoint;
pub mod cores;
pub mod disk;
pub mod download;
mod graphdef;
mod http;
pub mod image;
mod inflate;
mod jpeg;
pub mod npy;
pub mod npz;
mod partial;
mod pickle;
mod pickle_machine;
mod pickled_array;
pub mod rows;
mod safetensors;
mod state_dict;
pub mod statistics;
mod stored;
mod torch;
mod torch_legacy;
mod torch_zip;
