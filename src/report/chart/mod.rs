//! The charts of a study, as SVG and PNG.

pub mod canvas;
pub mod crowd;
pub mod figures;
pub mod lines;
pub mod palette;
pub mod picture;
pub mod scatter;
pub mod series;
pub mod svg;
pub mod ticks;
