//! Weights and tensors to tensors; knows no diffusion and opens no file.

pub mod attention;
pub mod classifier;
pub mod features;
pub mod inception;
pub mod inception_blocks;
pub mod inception_names;
pub mod inventory;
pub mod layers;
pub mod resblock;
pub mod resize;
pub mod trunk;
pub mod unet;
