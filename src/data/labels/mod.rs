//! Class names: those of folders, and ImageNet's; and how many images there are of each.

pub mod balance;
pub mod classes;
pub mod imagenet;
pub(crate) mod names;
