//! What `[train]` learns from besides images: the classes of data without any, and a teacher.

pub mod distill;
pub mod labels;
