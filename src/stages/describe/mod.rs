//! Images to features.

pub mod described;
pub mod extract;
pub mod features;
pub mod images;
pub mod inception;
pub mod reference;
pub mod reference_images;
pub(crate) mod rows;
mod writing;
