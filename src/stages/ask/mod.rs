//! What a net says of given images: bits per dimension, and the way to their noise and back.

pub mod denoiser_on_images;
pub mod inversion;
pub mod likelihood;
pub mod measurement;
