//! Features and a reference to numbers with intervals.

pub mod evaluate;
pub mod metrics;
pub(crate) mod neighbours;
pub mod reference;
pub mod scorer;
pub mod sides;
