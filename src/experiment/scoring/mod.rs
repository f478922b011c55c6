//! What is measured, and by whose rules.

pub mod feature_space;
pub mod metric;
pub mod own_net;
pub mod preset;
pub mod rules;
