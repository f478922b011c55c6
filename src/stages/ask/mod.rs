//! What a net says of given images: bits per dimension, and the way to their noise and back.

pub mod answers;
pub mod inversion;
pub mod likelihood;
pub mod subject;
