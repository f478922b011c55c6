//! Random numbers by counter: any word of any stream, on every machine the same. The ground floor; it knows no tensor.

pub mod stream;
