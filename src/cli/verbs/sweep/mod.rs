//! `runner sweep`.

pub mod run;
