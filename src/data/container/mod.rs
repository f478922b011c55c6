//! Folders, archives and arrays of images, told apart by content.

pub(crate) mod archive;
pub(crate) mod batch;
pub(crate) mod open;
pub(crate) mod refusal;
