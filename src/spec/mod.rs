//! What the user asked for, typed: no tensor, no file but the experiment's own.

pub mod arch;
pub mod axes;
pub mod catalogue;
pub mod check;
mod check_nets;
pub mod claim;
pub mod evaluator;
pub mod experiment;
pub mod flags;
pub mod grid;
pub mod import;
mod import_flags;
mod import_upsample;
pub mod key;
pub mod metric;
pub mod overlay;
pub mod presets;
pub mod published;
pub mod resolve;
pub mod rules;
pub mod sampling;
mod typo;
