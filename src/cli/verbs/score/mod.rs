//! `runner score`.

pub mod run;
pub mod table;
