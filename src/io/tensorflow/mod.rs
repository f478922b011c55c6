//! TensorFlow's frozen graphs.

pub(crate) mod graphdef;
