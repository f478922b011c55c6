//! Finished rows to files that people read; knows no tensor.

pub mod canvas;
pub mod caption;
pub mod chart;
pub mod claims;
pub mod deltas;
pub mod findings;
pub mod frame;
pub mod input;
pub mod lines;
pub mod mosaic;
pub mod names;
pub mod page;
pub mod palette;
pub mod picture;
pub mod points;
mod published;
pub mod samples;
pub mod scatter;
pub mod sheet;
pub mod tables;
pub mod text;
pub mod ticks;
pub mod write;
