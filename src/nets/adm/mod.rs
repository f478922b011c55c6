//! The nets of the ADM paper (arXiv:2105.05233): UNet, classifier and their blocks.

pub mod attention;
pub mod classifier;
pub mod layers;
pub mod resblock;
pub mod resize;
pub mod trunk;
pub mod unet;
