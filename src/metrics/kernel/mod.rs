//! The kernel distance (KID) and its interval.

pub mod interval;
pub mod mmd;
