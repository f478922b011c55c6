//! Sample grids.

pub mod mosaic;
pub mod samples;
