//! The table of a study, in every format.

pub mod caption;
pub mod frame;
pub mod sheet;
pub mod tables;
pub mod terminal;
