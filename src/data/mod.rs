//! Where training, reference and evaluated images come from: the shapes world, folders and archives.

mod archive;
mod batch;
mod bilinear;
pub mod classes;
mod container;
pub mod crop;
pub mod gallery;
pub mod imagenet;
pub mod input;
pub mod loader;
pub mod resize;
pub mod shapes;
pub mod source;
mod stack;
pub mod survey;
