//! Verbs of the first minutes: a study to start from, and help where people look for it.

pub mod completions;
pub mod init;
pub mod man;
