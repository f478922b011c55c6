//! Event files for TensorBoard: one run a cell, and the grid for its HParams plugin.

mod events;
mod hparams;
mod messages;
mod records;
mod runs;

pub use events::files;
