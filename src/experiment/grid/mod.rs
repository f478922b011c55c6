//! From one file to its cells: axes, combinations, and the values that each cell lays over the file.

pub mod axes;
pub mod axis;
pub mod case;
pub mod cell;
pub mod choice;
pub mod fill;
pub mod overlay;
pub mod paths;
pub mod source;
pub mod sweep;
pub mod template;
