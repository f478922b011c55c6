//! Random numbers: one stream an image.

pub mod labels;
pub mod noise;
