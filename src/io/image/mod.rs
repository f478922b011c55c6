//! Pictures: PNG, JPEG, BMP and WebP.

pub mod file;
pub(crate) mod jpeg;
pub mod kind;
pub mod pixels;
