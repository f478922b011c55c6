//! What is measured, and by whose rules.

pub mod metric;
pub mod preset;
pub mod rules;
