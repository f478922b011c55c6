//! What a file may say: ranges, combinations, and the name that was probably meant.

pub mod duration;
pub mod external;
pub(crate) mod nets;
pub(crate) mod typo;
pub mod values;
