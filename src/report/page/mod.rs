//! The page of a study, and the folder that holds all of a report.

pub mod excerpt;
pub mod format;
pub mod gallery;
pub mod html;
mod provenance;
mod samples;
mod statement;
pub mod write;
