//! Where training and reference images come from: the shapes world, folders and archives.

mod archive;
mod batch;
pub mod classes;
pub mod crop;
pub mod resize;
pub mod shapes;
pub mod source;
