//! Random numbers: one stream an image.

pub mod labels;
pub mod noise;
pub(crate) mod stream;
