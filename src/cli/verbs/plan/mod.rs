//! `runner plan`.

pub mod budget;
pub mod detect;
pub mod expected;
pub(crate) mod price;
pub mod run;
pub mod simulate;
pub mod speed;
