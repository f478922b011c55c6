//! Class names: those of folders, and ImageNet's; and how many images there are of each.

pub mod balance;
pub mod classes;
pub(crate) mod dataset_json;
pub mod given;
pub mod imagenet;
pub(crate) mod names;
