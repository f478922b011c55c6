//! The page of a study, and the folder that holds all of a report.

pub mod html;
pub mod write;
