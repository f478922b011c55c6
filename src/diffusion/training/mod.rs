//! What training minimises.

pub mod distill;
pub mod loss;
