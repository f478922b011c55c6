//! Class names: those of folders, and ImageNet's.

pub mod classes;
pub mod imagenet;
pub(crate) mod names;
