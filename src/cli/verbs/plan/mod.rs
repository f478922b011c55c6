//! `runner plan`.

pub(crate) mod price;
pub mod run;
