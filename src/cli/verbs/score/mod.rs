//! `runner score` and `runner evaluator`.

pub(crate) mod args;
pub mod beside;
pub mod evaluator;
pub mod json;
pub mod run;
pub mod scoring;
pub mod table;
