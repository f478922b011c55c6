//! One result made by several workers, part by part.

pub mod claims;
pub mod filling;
