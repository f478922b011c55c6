//! The nets of the ADM paper (arXiv:2105.05233): UNet, super-resolution net, classifier and their blocks. Names of tensors
//! are those of its release, guided-diffusion.

pub mod attention;
pub mod classifier;
mod labels;
pub mod layers;
pub mod resblock;
pub mod resize;
pub mod trunk;
pub mod unet;
