//! Commands of the first minutes: a study to start from, every key of its file, and help where people look for it.

pub mod completions;
pub mod init;
pub mod man;
pub mod schema;
