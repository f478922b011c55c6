//! The public face of the library: scoring images, and drawing them. The program itself (`cli`) stands beside it.

pub mod generator;
