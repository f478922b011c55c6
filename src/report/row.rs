//! A finished cell, as the run room hands it over.

pub use crate::run::results::{Row, Score};
