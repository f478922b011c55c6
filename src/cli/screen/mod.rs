//! What people see: lines, progress and colour.

pub mod board;
pub(crate) mod live;
pub mod pace;
pub mod terminal;
