//! How uncertain a number is: resampling, the jackknife, and paired differences.

pub mod draws;
pub mod jackknife;
pub(crate) mod mersenne;
pub mod normal;
pub mod paired;
pub mod repeats;
pub mod resample;
