//! Feature maps of nets that are only ever run forwards, kept in the kernels' own layout from layer to layer.
//!
//! Sixteen channels of a pixel lie side by side, so that convolutions read and write vectors without repacking, pools are
//! loops over vectors, and a concatenation is where its parts were written. On devices other than the CPU the same calls
//! are candle's plain operations.

mod blocked;
pub mod conv;
mod direct;
mod pools;
pub mod stack;
mod transforms;
mod weights;
mod winograd;

pub use conv::{Activation, Conv};
pub use stack::{Maps, Stack};
