//! Finished rows to files that people read; knows no tensor.

pub mod chart;
pub mod findings;
pub mod grids;
pub mod hand_over;
pub mod page;
pub mod paper;
pub mod rows;
pub mod table;
pub mod verify;
