//! What the user asked for, typed: no tensor, and no file opened but the experiment's own.

pub mod catalogue;
pub mod check;
pub mod external;
pub mod file;
pub mod grid;
pub mod guided_diffusion;
pub mod key;
pub mod nets;
pub mod schema;
pub mod scoring;
