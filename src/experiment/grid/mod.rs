//! From one file to its cells: axes, combinations, and the values that each cell lays over the file.

pub mod axes;
pub mod overlay;
pub mod sweep;
