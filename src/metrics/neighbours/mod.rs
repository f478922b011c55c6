//! Precision, recall, density and coverage: nearest neighbours among features.

pub mod adm_manifold;
pub(crate) mod distances;
pub mod manifold;
pub(crate) mod screen;
