//! Other people's programs and images in an experiment file: their tables, what these may say, and what of a cell reaches them.

pub mod check;
pub mod duration;
pub(crate) mod forms;
pub mod schema;
pub(crate) mod star;
pub mod tables;
pub(crate) mod used;
