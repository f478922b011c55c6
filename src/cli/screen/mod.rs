//! What people see: lines, progress and colour.

pub(crate) mod live;
pub mod pace;
pub mod sweep_progress;
pub mod terminal;
