//! What training minimises.

pub mod loss;
