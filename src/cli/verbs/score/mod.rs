//! `runner score`.

pub(crate) mod args;
pub mod run;
pub mod table;
