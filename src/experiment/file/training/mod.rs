//! `[train]` and its tables: how weights are made.

pub mod distill;
pub mod labels;
pub mod train;
