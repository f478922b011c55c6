//! Pixels to other sizes, as each published tool does it.

pub mod antialias;
pub(crate) mod bilinear;
pub mod crop;
pub mod input;
