//! One file a verb of the program.

pub mod ask;
pub mod clean;
pub mod export;
pub mod fetch;
pub mod gallery;
pub mod import;
pub mod inspect;
pub mod pack;
pub mod plan;
pub mod reference;
pub mod report;
pub mod score;
pub mod start;
pub mod status;
pub mod sweep;
pub mod verify;
pub mod work;
