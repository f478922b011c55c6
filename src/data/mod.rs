//! Where training and reference images come from: the shapes world, folders and archives.

pub mod shapes;

pub mod classes;
pub mod source;
