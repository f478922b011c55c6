//! The standard normal distribution.

/// Its 97.5 % point: a 95 % interval reaches so many standard deviations to either side.
pub const Z: f64 = 1.959963984540054;
