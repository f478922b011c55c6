//! An entry of the store while it is worked in, by one worker or by several.

pub mod makers;
pub mod scratch;
pub mod sharing;
pub mod turns;
