//! `runner report`, and the report at the end of every sweep.

mod bundle;
pub mod current;
pub mod run;
