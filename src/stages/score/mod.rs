//! Features and a reference to scores.

pub mod evaluate;
pub mod frechet;
pub mod measured;
pub mod neighbours;
pub mod reference;
pub mod scorer;
pub mod sides;
