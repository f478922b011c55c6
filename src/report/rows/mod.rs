//! What a report is made of: finished cells, what they are called, and the published rows beside them.

pub mod axes;
pub mod input;
pub mod names;
pub(crate) mod published;
pub mod seeds;
pub mod values;
