//! The charts of a study, as SVG, PNG and PDF.

pub mod canvas;
pub mod crowd;
pub mod figures;
pub mod layout;
pub mod lines;
pub mod palette;
pub mod pdf;
pub mod picture;
pub mod scatter;
pub mod series;
pub mod svg;
pub mod ticks;
