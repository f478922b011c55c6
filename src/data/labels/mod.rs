//! Class names: those of folders, and ImageNet's.

pub mod classes;
pub(crate) mod dataset_json;
pub mod imagenet;
pub(crate) mod names;
