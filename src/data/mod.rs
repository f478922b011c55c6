//! Where training, reference and evaluated images come from: the shapes world, folders and archives.

pub mod container;
pub mod gallery;
pub mod labels;
pub mod left_out;
pub mod loader;
pub mod resize;
pub mod shapes;
pub mod source;
pub mod survey;
