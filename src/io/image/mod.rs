//! Pictures: PNG, JPEG, BMP and WebP.

mod bmp;
pub mod file;
mod jpeg;
pub mod kind;
pub mod pixels;
mod png;
mod webp;
