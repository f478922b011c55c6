//! What ships with the program: studies by name, and the nets and reference statistics that they read.

pub(crate) mod share;
pub(crate) mod studies;
