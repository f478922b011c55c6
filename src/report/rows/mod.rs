//! What a report is made of: finished cells, their names and the published rows beside them.

pub mod input;
pub mod names;
pub(crate) mod published;
