//! Verbs that help to begin: what a file may say, and how to write one.

pub mod schema;
