//! npy and npz files.

pub mod image_batch;
pub(crate) mod inflate;
pub mod labels;
pub mod npy;
pub mod npz;
pub mod rows;
