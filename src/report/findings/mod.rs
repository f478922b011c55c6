//! What the numbers say: the lowest and highest, paired differences, and verdicts on what papers found.

pub mod brief;
pub mod deltas;
mod many;
pub mod overall;
pub mod trained;
pub mod verdicts;
