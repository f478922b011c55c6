//! `runner report`, and the report at the end of every sweep.

pub mod current;
pub mod run;
