//! npy and npz files.

pub(crate) mod inflate;
pub mod npy;
pub mod npz;
pub mod rows;
