//! The experiment file described: as JSON Schema for editors, and as a page for people. Both are made from the types that
//! read the file.

pub mod adm;
mod cells;
pub mod forms;
pub mod mirror;
pub mod page;
mod presets_table;
pub mod texts;
pub mod tidy;
pub mod whole;
