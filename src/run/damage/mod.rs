//! Results whose files are not as they were written: found by digest, told, and made whole again.

pub mod found;
pub mod look;
pub mod needs;
pub mod recover;

pub use needs::{Damage, damaged_needs};
