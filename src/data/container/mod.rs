//! Folders, archives and arrays of images, told apart by content.

pub(crate) mod archive;
pub(crate) mod batch;
pub(crate) mod in_folder;
pub(crate) mod in_tar;
pub(crate) mod in_zip;
pub(crate) mod links;
pub(crate) mod listing;
pub(crate) mod open;
pub(crate) mod refusal;
pub(crate) mod store;
